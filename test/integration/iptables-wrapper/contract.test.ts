import { openIpset } from 'iptables-wrapper';
import { FakeIpset, FakeIptables } from 'iptables-wrapper/testing';
import { describeCalls } from './contract-calls.js';
import { PREFIX, type Harness } from './contract-fixture.js';
import { describeSets } from './contract-sets.js';
import { describeTables } from './contract-tables.js';
import { clear, hasSetType, kernelHarness, testableFlavours } from './kernel.js';

const flavours = await testableFlavours();
const hasMacSets = hasSetType('hash:mac');

const fake: Harness = {
  async open(families = [4, 6]) {
    const ipset = new FakeIpset();
    return { iptables: new FakeIptables({ prefix: PREFIX, families, ipset }), ipset };
  },
  foreign(iptables, commands) {
    if (!(iptables instanceof FakeIptables)) throw new TypeError('not the fake');
    iptables.inject(commands);
  },
};

describe('the fake of iptables', () => {
  describeTables(fake);
  describeCalls(fake);
});

for (const flavour of flavours) {
  describe(`iptables, flavour ${flavour}`, () => {
    const harness = kernelHarness(flavour);
    describeTables(harness);
    describeCalls(harness);

    after(() => {
      clear(flavour);
    });
  });
}

describe('the fake of ipset', () => {
  describeSets(async () => new FakeIpset(), true);
});

describe('ipset', () => {
  describeSets(async () => {
    clear('nft');
    return openIpset();
  }, hasMacSets);

  after(() => {
    clear('nft');
  });
});
