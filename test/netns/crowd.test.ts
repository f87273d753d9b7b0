/** Many real OpenVPN clients at once; `npm run test:clients` has more of them, for longer. */
import { Crowd } from '../lab/crowd.js';
import { CrowdLife } from '../lab/crowd-life.js';
import { Random } from '../lab/random.js';
import { patient } from '../lab/wait.js';

const SEED = Number(process.env['CROWD_SEED'] ?? 1);

for (const clientAuth of [true, false])
  describe(`sixteen clients, ${clientAuth ? 'with' : 'without'} --management-client-auth, seed ${SEED}`, function () {
    this.timeout(patient(180_000));

    it('are in the kernel as OpenVPN has them, whoever connects, roams, leaves, is kicked or taken over', async () => {
      await using crowd = await Crowd.create({ size: 16, clientAuth, keepalive: [1, 4] });
      const life = new CrowdLife(crowd, new Random(SEED));

      for (let checkpoint = 0; checkpoint < 2; checkpoint += 1) {
        for (let step = 0; step < 30; step += 1) await life.step();
        await life.checkpoint();
      }
    });
  });
