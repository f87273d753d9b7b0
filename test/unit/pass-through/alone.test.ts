/** Whatever programs do, each gets what it would get alone. */
import assert from 'node:assert/strict';
import {
  array,
  assert as assertProperty,
  asyncProperty,
  constant,
  constantFrom,
  nat,
  oneof,
  record,
} from 'fast-check';
import { filterEnvironment } from '../../../sidecar/pass-through/env-filter.js';
import { Multiplexer } from '../../../sidecar/pass-through/multiplexer.js';
import { RealtimeMessages } from '../../../sidecar/pass-through/realtime-messages.js';
import { BANNER, clientEventText, settled, TestProgram } from './rig.js';

/** How many seeds. Replay one with PROPERTY_SEED, as fast-check prints it. */
const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 200);
const SEED = process.env['PROPERTY_SEED'];

const SWITCHES = ['log', 'state', 'echo'] as const;
type Switch = (typeof SWITCHES)[number];

/** What a program sends. */
const COMMANDS = [
  ...SWITCHES.flatMap((name) => [`${name} on`, `${name} off`, `${name} on all`, `${name} 1`, `${name} off 1`]),
  'env-filter 0',
  'env-filter 2',
  'env-filter 3',
  'status 3',
  'version 3',
  'later with odd lines',
  '# nothing',
  '',
  'client-auth x 1',
  'kill "no end',
] as const;

/** What OpenVPN says by itself. */
const MESSAGES = [
  '>LOG:1,I,a line\r\n',
  '>STATE:1,CONNECTED,SUCCESS,10.8.0.1,,,,\r\n',
  '>ECHO:1,text\r\n',
  '>NOTIFY:info,remote-exit,EXIT\r\n',
  clientEventText('ESTABLISHED,0'),
  clientEventText('DISCONNECT,0'),
  '>CLIENT:ADDRESS,0,10.8.0.2,1\r\n',
  '>LATER:kind\r\n',
] as const;

/** An OpenVPN with one management client. */
class ModelOpenVpn {
  readonly #on = new Set<Switch>();
  #level = 0;

  /** @param on what is turned on from the beginning */
  constructor(...on: readonly Switch[]) {
    for (const name of on) this.#on.add(name);
  }

  /** The reply. */
  execute(command: string): string {
    const [name = '', ...words] = command.trim().split(' ');
    if (name === '' || name.startsWith('#') || name === 'version') return '';
    if (command.includes('"')) return 'ERROR: Options error: No closing quotation (") in TCP:0\r\n';
    if (SWITCHES.includes(name as Switch)) return words.map((word) => this.#switch(name as Switch, word)).join('');
    if (name === 'status') return 'TITLE\tOpenVPN\r\nEND\r\n';
    if (name === 'later') return 'a\r\n\r\nSUCCESS: b\r\nERROR: c\r\nd\r\n';
    if (name === 'env-filter') {
      this.#level = Number(words[0]);
      return `SUCCESS: env_filter_level=${this.#level}\r\n`;
    }
    return `ERROR: ${name}\r\n`;
  }

  /** What it says, as its client gets it; nothing if that is off. */
  say(message: string): string {
    const [, type = ''] = /^>(\w+):/.exec(message) ?? [];
    const name = SWITCHES.find((each) => each.toUpperCase() === type);
    if (name !== undefined && !this.#on.has(name)) return '';
    const [parsed] = new RealtimeMessages().push(message);
    return parsed === undefined ? '' : filterEnvironment(parsed, this.#level);
  }

  #switch(name: Switch, word: string): string {
    if (word !== 'on' && word !== 'off') return `1,row of ${name}\r\nEND\r\n`;
    if (word === 'on') this.#on.add(name);
    else this.#on.delete(name);
    return `SUCCESS: real-time ${name} notification set to ${word.toUpperCase()}\r\n`;
  }
}

/** One of four programs attaches, leaves or sends a command in pieces; or OpenVPN says something. */
const step = oneof(
  record({ kind: constant('attach'), who: nat(3) }),
  record({ kind: constant('leave'), who: nat(3) }),
  record({
    kind: constant('send'),
    who: nat(3),
    commands: array(constantFrom(...COMMANDS), { minLength: 1, maxLength: 4 }),
    cut: nat(40),
  }),
  record({ kind: constant('say'), message: constantFrom(...MESSAGES) }),
);

describe('Multiplexer', () => {
  it('gives each program what it would get alone', async () => {
    await assertProperty(
      asyncProperty(array(step, { minLength: 40, maxLength: 100 }), async (steps) => {
        const openVpn = new ModelOpenVpn('state');
        const multiplexer = new Multiplexer({
          relay: ({ bytes, onLine }) => {
            for (const line of openVpn.execute(bytes.toString('latin1').replace(/\n$/, '')).match(/[^\n]*\n/g) ?? [])
              onLine(Buffer.from(line, 'latin1'));
            return Promise.resolve();
          },
          ownSwitches: () => ['state'],
          answersLogins: () => false,
          isKeptOut: () => false,
          hasAppointed: false,
          now: () => 0,
        });
        /** Each with the OpenVPN that it would have alone, and what it would get of that. */
        const programs = new Map<
          number,
          { readonly program: TestProgram; readonly alone: ModelOpenVpn; text: string }
        >();
        for (const each of steps) {
          if (each.kind === 'say') {
            const { message } = each as { readonly message: string };
            for (const entry of programs.values()) entry.text += entry.alone.say(message);
            const said = openVpn.say(message);
            multiplexer.notifications(Buffer.from(said, 'latin1'));
          } else {
            const { who } = each as { readonly who: number };
            const entry = programs.get(who);
            if (each.kind === 'attach' && entry === undefined) {
              const rights = { socket: 'unix:/run/test.sock', allowed: 'all', logins: 'allowed' } as const;
              const program = new TestProgram(multiplexer, rights);
              programs.set(who, { program, alone: new ModelOpenVpn(), text: BANNER });
            } else if (each.kind === 'leave' && entry !== undefined) {
              entry.program.leave();
              programs.delete(who);
            } else if (each.kind === 'send' && entry !== undefined) {
              const { commands, cut } = each as { readonly commands: readonly string[]; readonly cut: number };
              const text = commands.map((command) => `${command}\n`).join('');
              entry.text += commands.map((command) => entry.alone.execute(command)).join('');
              entry.program.send(text.slice(0, cut));
              entry.program.send(text.slice(cut));
            }
          }
          await settled();
        }
        for (const { program, text } of programs.values()) assert.equal(program.text, text);
      }),
      { numRuns: RUNS, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
    );
  });
});
