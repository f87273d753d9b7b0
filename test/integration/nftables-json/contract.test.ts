import { openNftables, type Nftables } from 'nftables-json';
import { FakeNftables } from 'nftables-json/testing';
import { describeCalls } from './contract-calls.js';
import { describeObjects } from './contract-objects.js';
import { requireOwnNamespace } from './namespace-guard.js';

describe('the in-memory fake', () => {
  describeObjects(openFake);
  describeCalls(openFake, async (nftables, commands) => {
    if (!(nftables instanceof FakeNftables)) {
      throw new TypeError('not the fake');
    }
    nftables.inject(commands);
  });
});

for (const [executor, otherExecutor] of [
  ['library', 'process'],
  ['process', 'library'],
] as const) {
  describe(`the ${executor} executor`, () => {
    before(requireOwnNamespace);

    describeObjects(() => openNftables({ executor }));
    describeCalls(
      () => openNftables({ executor }),
      async (_nftables, commands) => {
        await using other = await openNftables({ executor: otherExecutor });
        await other.run(commands);
      },
    );
  });
}

async function openFake(): Promise<Nftables> {
  return new FakeNftables();
}
