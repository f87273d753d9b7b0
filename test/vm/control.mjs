// SPDX-License-Identifier: GPL-2.0
// Commands: each malformed one is refused with the errno of the manual and changes
// nothing; ten thousand random ones leave the module intact.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const directory = '/proc/net/gwmark';
const seed = Number(process.argv[2] ?? 20240607);
const run = (command, ...args) => execFileSync(command, args, { encoding: 'utf8' });
const read = (file) => readFileSync(`${directory}/${file}`, 'utf8');
const control = (line) => writeFileSync(`${directory}/control`, line);

function refusal(line) {
  try {
    control(line);
  } catch (error) {
    return error.code;
  }
  return 'accepted';
}

// mulberry32: the same lines for the same seed, everywhere.
function random(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

let checks = 0;
function ok(title) {
  checks += 1;
  console.log(`ok - ${title}`);
}

run('modprobe', '-a', 'nf_conntrack', 'bridge', 'veth');
run('insmod', process.env.GWMARK_KO, 'max_gateways=16');
run('ip', 'link', 'add', 'lan0', 'type', 'veth', 'peer', 'name', 'lan1');
run('ip', 'link', 'set', 'lan0', 'up');
run('ip', 'link', 'set', 'lan1', 'up');
run('ip', 'link', 'add', 'down0', 'type', 'veth', 'peer', 'name', 'down1');

const mac = '02:00:00:00:00:51';
assert.equal(refusal(`gateway add lan0 ${mac}`), 'ENETDOWN');
assert.equal(refusal('flush'), 'ENETDOWN');
ok('before enable, a command that needs the table says ENETDOWN');
control('enable');
control('enable\n');
assert.match(read('config'), /^enabled 1$/m);
ok('enable is idempotent, with and without a newline');

control(`gateway add lan0 ${mac} 192.0.2.251 2001:db8::1`);
control('set reply_mark 0x1200/0xff00');
control('set orig_mark 7');
control('  set\tlearn_onlink   on ');
assert.match(read('config'), /^reply_mark 0x1200\/0xff00\norig_mark 0x7\/0xff\nlearn_onlink on$/m);
assert.match(
  read('gateways'),
  new RegExp(`dev=lan0 .* mac=${mac} .*addresses=(192.0.2.251,2001:db8::1|2001:db8::1,192.0.2.251)\n`),
);
control(`uplink lan0 ${mac}`);
assert.match(read('config'), new RegExp(`^uplink lan0 ${mac}$`, 'm'));
control('uplink none');
assert.match(read('config'), /^uplink none$/m);
control('uplink auto');
assert.match(read('config'), /^uplink auto$/m);
ok('commands do what they say, and the files show it');

const malformed = [
  ['', 'EINVAL'],
  ['\n', 'EINVAL'],
  [' ', 'EINVAL'],
  ['enabled', 'EINVAL'],
  ['Enable', 'EINVAL'],
  ['enable now', 'EINVAL'],
  ['enable\nenable', 'EINVAL'],
  ['enable\0', 'EINVAL'],
  ['\0', 'EINVAL'],
  ['set', 'EINVAL'],
  ['set reply_mark', 'EINVAL'],
  ['set reply_mark 1 2', 'EINVAL'],
  ['set reply_mark 0', 'EINVAL'],
  ['set reply_mark 0x32/0', 'EINVAL'],
  ['set reply_mark 0x132', 'EINVAL'],
  ['set reply_mark 0x32/0xf', 'EINVAL'],
  ['set reply_mark 0x32/', 'EINVAL'],
  ['set reply_mark /0xff', 'EINVAL'],
  ['set reply_mark -1', 'EINVAL'],
  ['set reply_mark 4294967296/0xffffffff', 'EINVAL'],
  ['set reply_mark 0x32/0xff/0xff', 'EINVAL'],
  ['set mark 1', 'EINVAL'],
  ['set learn_onlink yes', 'EINVAL'],
  ['set learn_onlink 1', 'EINVAL'],
  ['gateway', 'EINVAL'],
  ['gateway add lan0', 'EINVAL'],
  ['gateway drop lan0 ' + mac, 'EINVAL'],
  ['gateway add lan0 02:00:00:00:00', 'EINVAL'],
  ['gateway add lan0 02-00-00-00-00-51', 'EINVAL'],
  ['gateway add lan0 020000000051', 'EINVAL'],
  ['gateway add lan0 02:00:00:00:00:5g', 'EINVAL'],
  ['gateway add lan0 02:00:00:00:00:51:52', 'EINVAL'],
  ['gateway add lan0 ff:ff:ff:ff:ff:ff', 'EINVAL'],
  ['gateway add lan0 01:00:5e:00:00:01', 'EINVAL'],
  ['gateway add lan0 00:00:00:00:00:00', 'EINVAL'],
  [`gateway add lan0 ${mac} 192.0.2.256`, 'EINVAL'],
  [`gateway add lan0 ${mac} 192.0.2.1/24`, 'EINVAL'],
  [`gateway add lan0 ${mac} fe80::1%lan0`, 'EINVAL'],
  [`gateway add lan0 ${mac} ::g`, 'EINVAL'],
  [`gateway add lan0 ${mac} 1.1.1.1 x`, 'EINVAL'],
  [`gateway add lan0 ${mac} ${'1.1.1.1 '.repeat(9)}`, 'EINVAL'],
  [`gateway add nope0 ${mac}`, 'ENODEV'],
  [`gateway add lo ${mac}`, 'ENOTSUP'],
  [`gateway add ${'x'.repeat(100)} ${mac}`, 'ENODEV'],
  [`gateway add down0 ${mac}`, 'ENETDOWN'],
  [`gateway del lan0 ${mac} 192.0.2.251`, 'EINVAL'],
  ['gateway del lan0 02:00:00:00:00:99', 'ENOENT'],
  ['uplink', 'EINVAL'],
  ['uplink sometimes', 'EINVAL'],
  [`uplink nope0 ${mac}`, 'ENODEV'],
  ['uplink auto now', 'EINVAL'],
  [`uplink lan0 ${mac} ${mac}`, 'EINVAL'],
  ['move lan0', 'EINVAL'],
  [`move lan0 ${mac}`, 'EINVAL'],
  [`move lan0 ${mac} 01:00:00:00:00:01`, 'EINVAL'],
  [`move lan0 ${mac} ${mac} always`, 'EINVAL'],
  [`move lan0 ${mac} ${mac} keep it`, 'EINVAL'],
  [`move lan0 02:00:00:00:00:99 ${mac} keep`, 'ENOENT'],
  [`move lan0 02:00:00:00:00:99 ${mac}`, 'ENOENT'],
  [`move lan1 ${mac} ${mac}`, 'ENOENT'],
  ['flush lan0 lan1', 'EINVAL'],
  ['flush nope0', 'ENODEV'],
  ['x'.repeat(256), 'E2BIG'],
  [`enable${' '.repeat(250)}`, 'E2BIG'],
  ['x'.repeat(255), 'EINVAL'],
  ['x'.repeat(5000), 'EINVAL'],
];
const before = read('config') + read('gateways').replace(/idle_ms=\S+/g, '');
const log = run('dmesg').length;
for (const [line, code] of malformed) {
  if (line === '') continue; // a write of nothing never reaches the file
  assert.equal(refusal(line), code, JSON.stringify(line.slice(0, 80)));
  assert.equal(read('config') + read('gateways').replace(/idle_ms=\S+/g, ''), before, JSON.stringify(line));
}
ok(`${malformed.length} malformed commands: each its errno, no change`);
assert.equal(run('dmesg').length, log);
ok('and no word in the kernel log');
assert.match(read('stats'), new RegExp(`^control_refused ${malformed.length - 2 + 2}$`, 'm'));
// the empty write and the one beyond a page do not reach the module; two came before
ok('every refusal is counted');

control(`${' '.repeat(249)}enable`);
control(`enable${' '.repeat(249)}\n`);
ok('255 bytes and a newline are accepted');
for (let n = 1; n < 16; n += 1) control(`gateway add lan0 02:00:00:00:01:${n.toString(16).padStart(2, '0')}`);
assert.equal(refusal('gateway add lan0 02:00:00:00:01:ff'), 'ENOSPC');
control(`gateway add lan0 ${mac}`);
ok('a full table says ENOSPC, except for a gateway that it has');
const ids = new Set(read('gateways').match(/id=\d+/g));
control('flush');
assert.equal(read('gateways'), 'gwmark 1\n');
for (let n = 1; n < 16; n += 1) control(`gateway add lan0 02:00:00:00:01:${n.toString(16).padStart(2, '0')}`);
for (const id of read('gateways').match(/id=\d+/g)) assert.ok(!ids.has(id), `${id} was given out twice`);
ok('ids are not given out twice in a row');

const next = random(seed);
const pick = (list) => list[Math.floor(next() * list.length)];
const words = [
  'enable',
  'disable',
  'set',
  'reply_mark',
  'orig_mark',
  'learn_onlink',
  'on',
  'off',
  'gateway',
  'add',
  'del',
  'uplink',
  'auto',
  'none',
  'move',
  'keep',
  'flush',
  'lan0',
  'lan1',
  'down0',
  'lo',
  'nope0',
  '0x32',
  '0x32/0xff',
  '1/1',
  '0',
  '4294967295/4294967295',
  mac,
  '02:00:00:00:01:01',
  '02:00:00:00:01:02',
  'ff:ff:ff:ff:ff:ff',
  '192.0.2.251',
  '2001:db8::1',
  '::',
  '0.0.0.0',
  '-1',
  '/',
  '\t',
  '\0',
  '\n',
  '\xff\xfe',
  'x'.repeat(60),
];
const templates = [
  () =>
    `gateway add ${pick(['lan0', 'lan1'])} 02:00:00:00:02:${Math.floor(next() * 256)
      .toString(16)
      .padStart(2, '0')}`,
  () => `move lan0 02:00:00:00:01:0${Math.floor(next() * 9)} ${mac}`,
  () => `set ${pick(['reply_mark', 'orig_mark'])} ${Math.floor(next() * 2 ** 33)}/${Math.floor(next() * 2 ** 33)}`,
  () => Array.from({ length: Math.floor(next() * 14) }, () => pick(words)).join(pick([' ', ' ', '\t', ''])),
  () =>
    Array.from({ length: 1 + Math.floor(next() * 300) }, () => String.fromCharCode(Math.floor(next() * 256))).join(''),
];
const answers = new Map();
const said = () =>
  run('dmesg')
    .split('\n')
    .filter((line) => line.includes('gwmark')).length;
const saidBefore = said();
for (let n = 0; n < 10_000; n += 1) {
  const line = Buffer.from(pick(templates)(), 'latin1');
  const code = line.length > 0 ? refusal(line) : 'empty';
  answers.set(code, (answers.get(code) ?? 0) + 1);
  if (n % 500 === 0)
    for (const file of ['config', 'gateways', 'flows', 'stats']) assert.match(read(file), /^gwmark 1\n/);
}
const known = new Set(['accepted', 'empty', 'EINVAL', 'E2BIG', 'ENODEV', 'ENOTSUP', 'ENETDOWN', 'ENOENT', 'ENOSPC']);
for (const code of answers.keys()) assert.ok(known.has(code), code);
console.log(`# seed ${seed}: ${JSON.stringify(Object.fromEntries(answers))}`);
ok('10,000 random lines: only errors of the manual');
assert.ok(said() - saidBefore <= 1, `${said() - saidBefore} lines in the kernel log`);
ok('and one line in the kernel log at most');
control('enable');
control('flush');
control('set reply_mark 0x32/0xff');
assert.match(read('config'), /^enabled 1\nreply_mark 0x32\/0xff$/m);
ok('and the module does what it is told');

control('disable');
control('disable');
run('ip', 'link', 'del', 'lan0');
run('rmmod', 'gwmark');
ok('unload');
console.log(`1..${checks}`);
