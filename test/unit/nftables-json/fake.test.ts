import assert from 'node:assert/strict';
import { NftError, Transaction, type Command } from 'nftables-json';
import { FakeNftables } from 'nftables-json/testing';

const IN = { family: 'inet', table: 't' } as const;
const SKELETON: readonly Command[] = new Transaction()
  .add({ table: { family: 'inet', name: 't' } })
  .add({ set: { ...IN, name: 's', type: 'ipv4_addr' } })
  .add({ chain: { ...IN, name: 'c' } }).commands;

describe('the fake', () => {
  it('dumps equal rulesets to equal text, whatever the order of elements and the handles', async () => {
    const [left, right] = [new FakeNftables(), new FakeNftables()];

    await left.run([...SKELETON, add('192.0.2.1', '192.0.2.2')]);
    await right.run([
      ...SKELETON,
      { add: { chain: { ...IN, name: 'gone' } } },
      { delete: { chain: { ...IN, name: 'gone' } } },
    ]);
    await right.run([add('192.0.2.2'), add('192.0.2.1')]);

    assert.equal(left.dump(), right.dump());
    assert.equal(
      left.dump(),
      [
        '{"table":{"family":"inet","name":"t"}}',
        '{"set":{"family":"inet","table":"t","name":"s","type":"ipv4_addr","elem":["192.0.2.1","192.0.2.2"]}}',
        '{"chain":{"family":"inet","table":"t","name":"c"}}',
        '',
      ].join('\n'),
    );
  });

  it('takes back every part of a refused transaction, deletions too', async () => {
    const fake = new FakeNftables();
    await fake.run([
      ...SKELETON,
      add('192.0.2.1'),
      { add: { rule: { ...IN, chain: 'c', expr: [{ jump: { target: 'c' } }] } } },
    ]);
    const before = fake.dump();

    await assert.rejects(
      fake.run([
        { delete: { element: { ...IN, name: 's', elem: ['192.0.2.1'] } } },
        { flush: { chain: { ...IN, name: 'c' } } },
        { delete: { set: { ...IN, name: 's' } } },
        { delete: { chain: { ...IN, name: 'c' } } },
        { delete: { table: { family: 'inet', name: 't' } } },
        { delete: { table: { family: 'inet', name: 't' } } },
      ]),
      NftError,
    );

    assert.equal(fake.dump(), before);
    await fake.check([{ delete: { chain: { ...IN, name: 'c' } } }]);
    assert.equal(fake.dump(), before);
  });

  it('keeps the transactions that were applied, not those that were refused, checked or injected', async () => {
    const fake = new FakeNftables();

    await fake.run(SKELETON);
    await fake.check([add('192.0.2.1')]);
    await fake.run([{ delete: { set: { ...IN, name: 'absent' } } }]).catch(() => undefined);
    fake.inject([add('192.0.2.9')]);
    await fake.run([add('192.0.2.2')]);

    assert.deepEqual(fake.transactions, [SKELETON, [add('192.0.2.2')]]);
    assert.match(fake.dump(), /"192\.0\.2\.2","192\.0\.2\.9"/u);
  });

  it('fails as it was told, once for each error, without a change', async () => {
    const fake = new FakeNftables();
    fake.failNext(new NftError('EBUSY', 'planned'), new NftError('TIMEOUT', 'planned too'));

    await assert.rejects(fake.run(SKELETON), { code: 'EBUSY' });
    await assert.rejects(fake.list({ ruleset: null }), { code: 'TIMEOUT' });

    assert.equal(fake.dump(), '');
    await fake.run(SKELETON);
  });

  it('adds one element to 100,000 without copying them', async () => {
    const fake = new FakeNftables();
    await fake.run([
      ...SKELETON,
      add(...Array.from({ length: 100_000 }, (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`)),
    ]);
    const before = process.cpuUsage();

    for (let index = 0; index < 1000; index++) {
      await fake.run([add(`192.0.${index >> 8}.${index & 255}`)]);
    }

    // Copying would need about 10 ms for each. Of the processor's time, of which other programs take nothing.
    assert.ok(process.cpuUsage(before).user < 2_000_000);
  });
});

function add(...elem: readonly string[]): Command {
  return { add: { element: { ...IN, name: 's', elem } } };
}
