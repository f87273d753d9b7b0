// What one change costs: unshare -n node packages/iptables-wrapper/measure.mjs. Medians in ms; read the ratios, not
// the times.
import { execFileSync } from 'node:child_process';
import { openIpset, openIptables } from './dist/index.js';

const SAMPLES = 31;
const place = { family: 4, table: 'mangle' };
const rule = [
  '-i',
  'lan0',
  '-m',
  'mac',
  '--mac-source',
  '02:00:00:00:00:01',
  '-j',
  'CONNMARK',
  '--set-xmark',
  '0x1/0xff',
];

for (const flavour of ['nft', 'legacy']) {
  const iptables = await openIptables({ prefix: 'VPN-', flavour });
  for (const foreign of [0, 5000]) {
    const rules = Array.from(
      { length: foreign },
      (_, index) => `-A FORWARD -s 10.${index >> 8}.${index & 255}.1/32 -j ACCEPT\n`,
    ).join('');
    execFileSync(`iptables-${flavour}-restore`, ['-w', '5'], { input: `*mangle\n${rules}COMMIT\n` });
    const replace = await median(() => iptables.run([{ replace: { ...place, chain: 'VPN-in', rules: [rule] } }]));
    const jump = { jump: { ...place, chain: 'PREROUTING', target: 'VPN-in', at: 'first' } };
    await iptables.run([jump]);
    const standing = await median(() => iptables.run([jump]));
    console.log(
      `${flavour}, ${foreign} rules of others: replace a chain ${replace}, a jump that is already correct ${standing}`,
    );
  }
  await iptables.sweep();
}

const ipset = await openIpset();
await ipset.run([{ ensure: { name: 'clients', type: 'hash:ip', maxElements: 200_000 } }]);
for (const present of [100, 100_000]) {
  const elements = Array.from({ length: present }, (_, index) => ({
    value: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
  }));
  const replaced = performance.now();
  await ipset.replace({ name: 'clients', type: 'hash:ip', maxElements: 200_000 }, elements);
  const bulk = (performance.now() - replaced).toFixed(0);
  const one = [{ value: '192.0.2.1' }];
  const put = await median(() => ipset.run([{ put: { name: 'clients', elements: one } }]));
  const discard = await median(() => ipset.run([{ discard: { name: 'clients', values: ['192.0.2.1'] } }]));
  console.log(`ipset, ${present} elements: replace them all ${bulk}, put one ${put}, discard one ${discard}`);
}
await ipset.run([{ destroy: { name: 'clients' } }]);

async function median(task) {
  const times = [];
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const startedAt = performance.now();
    await task();
    times.push(performance.now() - startedAt);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(SAMPLES / 2)].toFixed(1);
}
