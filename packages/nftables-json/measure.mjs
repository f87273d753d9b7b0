/**
 * The measurements of README.md, side by side in one run. Run as root in a throw-away namespace:
 *
 *     unshare -n node packages/nftables-json/measure.mjs
 *
 * It flushes the ruleset of its namespace.
 */
import { openNftables, Transaction } from 'nftables-json';

const IN = { family: 'inet', table: 'measure' };
const FEW = 100;
const MANY = 100_000;
const SAMPLES = 101;

const address = (index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`;
const addresses = (count) => Array.from({ length: count }, (_, index) => address(index));

const skeleton = new Transaction()
  .flush({ ruleset: null })
  .add({ table: { family: 'inet', name: 'measure' } })
  .add({ set: { ...IN, name: 'hash', type: 'ipv4_addr' } })
  .add({ map: { ...IN, name: 'hashmap', type: 'ipv4_addr', map: 'mark' } })
  .add({ set: { ...IN, name: 'dynamic', type: ['ifname', 'ether_addr'], flags: ['dynamic', 'timeout'], timeout: 60 } })
  .add({ counter: { ...IN, name: 'counter' } })
  .add({ chain: { ...IN, name: 'chain' } })
  .add({ rule: { ...IN, chain: 'chain', expr: [{ counter: null }, { accept: null }] } }).commands;

/** One element added and deleted again; the two are measured apart. */
const change = (name, element, key = element) => ({
  add: (nftables) => nftables.run([{ add: { element: { ...IN, name, elem: [element] } } }]),
  delete: (nftables) => nftables.run([{ delete: { element: { ...IN, name, elem: [key] } } }]),
});

const CHANGES = {
  'hash set': change('hash', '192.0.2.1'),
  'hash map': change('hashmap', ['192.0.2.1', 1], '192.0.2.1'),
};

const POLLS = {
  'list, one empty dynamic set': (nftables) => nftables.list({ set: { ...IN, name: 'dynamic' } }),
  'list, table, terse': (nftables) => nftables.list({ table: { family: 'inet', name: 'measure' } }, { terse: true }),
  'list, one chain': (nftables) => nftables.list({ chain: { ...IN, name: 'chain' } }),
  'list, one counter': (nftables) => nftables.list({ counter: { ...IN, name: 'counter' } }),
  'list, tables': (nftables) => nftables.list({ tables: null }),
  generation: (nftables) => nftables.generation(),
};

async function medianUs(samples, action, after) {
  const durations = [];
  for (let sample = 0; sample < samples; sample++) {
    const startedAt = performance.now();
    await action();
    durations.push((performance.now() - startedAt) * 1000);
    await after?.();
  }
  return durations.toSorted((a, b) => a - b)[samples >> 1];
}

async function measureAll(nftables, samples, results, column) {
  const record = (name, value) => {
    results[name] = { ...results[name], [column]: value };
  };
  for (const [name, each] of Object.entries(CHANGES)) {
    record(
      `add, ${name}`,
      await medianUs(
        samples,
        () => each.add(nftables),
        () => each.delete(nftables),
      ),
    );
    await each.add(nftables);
    record(
      `delete, ${name}`,
      await medianUs(
        samples,
        () => each.delete(nftables),
        () => each.add(nftables),
      ),
    );
    await each.delete(nftables);
  }
  for (const [name, poll] of Object.entries(POLLS)) {
    record(name, await medianUs(samples, () => poll(nftables)));
  }
}

/**
 * A change of a hash set while interval sets of this size are installed anywhere; and a change of the interval set
 * itself.
 */
async function measureIntervals(nftables, results, type, toElement, flavour) {
  for (const [column, count] of [
    ['few', FEW],
    ['many', 20_000],
  ]) {
    await nftables.run(skeleton);
    await nftables.run([{ add: { set: { ...IN, name: 'interval', type, flags: ['interval'] } } }]);
    await nftables.run([
      {
        add: {
          element: {
            ...IN,
            name: 'interval',
            elem: addresses(count * 2)
              .filter((_, index) => index % 2 === 0)
              .map(toElement),
          },
        },
      },
    ]);
    const own = change('interval', toElement('192.0.2.1'));
    const samples = count === FEW ? SAMPLES : 11;
    const hash = await medianUs(
      samples,
      () => CHANGES['hash set'].add(nftables),
      () => CHANGES['hash set'].delete(nftables),
    );
    const itself = await medianUs(
      samples,
      () => own.add(nftables),
      () => own.delete(nftables),
    );
    const names = [`add, hash set, beside an interval set ${flavour}`, `add, interval set ${flavour}`];
    results[names[0]] = { ...results[names[0]], [column]: hash };
    results[names[1]] = { ...results[names[1]], [column]: itself };
  }
}

async function measure(executor, samples) {
  const results = {};
  const nftables = await openNftables({ executor });
  for (const [column, count] of [
    ['few', FEW],
    ['many', MANY],
  ]) {
    await nftables.run(skeleton);
    await nftables.run([{ add: { element: { ...IN, name: 'hash', elem: addresses(count) } } }]);
    await nftables.run([
      { add: { element: { ...IN, name: 'hashmap', elem: addresses(count).map((each, index) => [each, index]) } } },
    ]);
    await measureAll(nftables, samples, results, column);
  }
  await measureIntervals(nftables, results, 'ipv4_addr', (each) => each, '(ipv4_addr)');
  await measureIntervals(
    nftables,
    results,
    ['ifname', 'ipv4_addr'],
    (each) => ({ concat: ['tun0', each] }),
    '(ifname . ipv4_addr)',
  );
  await nftables.run([{ flush: { ruleset: null } }]);
  await nftables[Symbol.asyncDispose]();
  return results;
}

// The spawned program first, while this process is small: a fork costs more in a large one.
const spawned = await measure('process', 21);
const library = await measure('library', SAMPLES);
const line = (...cells) => process.stdout.write(`| ${cells.join(' | ')} |\n`);
line('what', 'library, few (us)', 'library, many / few', 'spawned / library, few', 'spawned / library, many');
line('---', '---', '---', '---', '---');
for (const [name, { few, many }] of Object.entries(library)) {
  const other = name === 'generation' ? undefined : spawned[name];
  line(
    name,
    few.toFixed(0),
    (many / few).toFixed(1),
    other ? (other.few / few).toFixed(0) : '-',
    other ? (other.many / many).toFixed(0) : '-',
  );
}
