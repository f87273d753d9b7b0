import type { ByteString } from './bytes.js';
import { ByteCounts, commonInterval } from './byte-counts.js';
import type { Program, SwitchName } from './program.js';
import type { ProgramCommand } from './program-command.js';

export interface SubscriptionsOptions {
  /** Those that are attached. */
  readonly programs: ReadonlySet<Program>;
  /** What gwmark itself wants of OpenVPN: it is never turned off. */
  readonly ownSwitches: () => readonly SwitchName[];
  /** Runs a work when the commands before are answered, unless the program has left by then. */
  readonly inTurn: (program: Program, work: () => Promise<void>) => Promise<void>;
  /** Sends a command of a program; called within a turn. */
  readonly send: (program: Program, command: ProgramCommand, onLine: (line: ByteString) => void) => Promise<void>;
  /** Sends a command of our own, when its turn comes. */
  readonly tell: (lines: () => readonly string[]) => void;
}

/**
 * What programs turn on in OpenVPN, each for itself: notifications of states, log and echo, and byte counts. OpenVPN has
 * what any of them wants; a program gets what it wants.
 */
export class Subscriptions {
  readonly #options: SubscriptionsOptions;
  /** How often OpenVPN counts, in seconds; 0 for never. */
  #interval = 0;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
  }

  /** `state`, `log` or `echo`: `off` reaches OpenVPN only when nobody else has it on; every other form goes as it is. */
  async switch(program: Program, name: SwitchName, command: ProgramCommand): Promise<void> {
    const { inTurn, send } = this.#options;
    const words = command.parameters.slice(0, 2);
    const note = (line: ByteString): void => noteSwitch(program, name, line);
    if (!words.includes('off')) {
      await inTurn(program, () => send(program, command, note));
      return;
    }
    for (const word of words) {
      await inTurn(program, async () => {
        if (word !== 'off' || !this.#isOn(name, program)) {
          await send(program, { line: `${name} ${word}`, name, parameters: [word], fault: null }, note);
          return;
        }
        program.switches.delete(name);
        program.send(`SUCCESS: real-time ${name} notification set to OFF\r\n`);
      });
    }
  }

  /** `bytecount`: OpenVPN counts as often as all of them need. @param interval seconds, 0 for never */
  async count(program: Program, interval: number): Promise<void> {
    const { inTurn, send } = this.#options;
    await inTurn(program, async () => {
      const common = commonInterval([...this.#intervals(program), interval]);
      const counts = new ByteCounts(interval);
      // OpenVPN would begin to wait again: those who count already are not disturbed.
      if (common === this.#interval && common > 0) {
        program.byteCounts = counts;
        program.send('SUCCESS: bytecount interval changed\r\n');
        return;
      }
      const command = { line: `bytecount ${common}`, name: 'bytecount', parameters: [String(common)], fault: null };
      await send(program, command, (line) => {
        if (!line.startsWith('SUCCESS:')) return;
        this.#interval = common;
        program.byteCounts = counts;
      });
    });
  }

  /** Programs that get the byte counts of a client, which came now. @param client its CID; empty for an OpenVPN client's */
  countedBy(client: string, nowMs: number): readonly Program[] {
    return [...this.#options.programs].filter(({ byteCounts }) => byteCounts.isDue(client, nowMs, this.#interval));
  }

  /** Turns off in OpenVPN what only this program, which left, had turned on. */
  release(program: Program): void {
    const names = [...program.switches];
    const hadCounts = program.byteCounts.interval > 0;
    program.switches.clear();
    program.byteCounts = new ByteCounts(0);
    if (names.length === 0 && !hadCounts) return;
    this.#options.tell(() => {
      const common = commonInterval(this.#intervals(null));
      const counts = common === this.#interval ? [] : [`bytecount ${common}`];
      this.#interval = common;
      return [...names.filter((name) => !this.#isOn(name, null)).map((name) => `${name} off`), ...counts];
    });
  }

  /** The connection is lost: on the next one everything is off. */
  forget(): void {
    this.#interval = 0;
    for (const program of this.#options.programs) {
      program.switches.clear();
      program.byteCounts = new ByteCounts(0);
    }
  }

  /** Whether anybody has it on, gwmark itself among them. */
  #isOn(name: SwitchName, except: Program | null): boolean {
    return (
      this.#options.ownSwitches().includes(name) ||
      [...this.#options.programs].some((other) => other !== except && other.switches.has(name))
    );
  }

  #intervals(except: Program | null): readonly number[] {
    return [...this.#options.programs]
      .filter((program) => program !== except)
      .map(({ byteCounts }) => byteCounts.interval);
  }
}

/** A reply says that notifications are on, or off, from here on. */
function noteSwitch(program: Program, name: SwitchName, line: ByteString): void {
  const [, value] = /^SUCCESS: real-time \w+ notification set to (ON|OFF)\r\n$/.exec(line) ?? [];
  if (value === 'ON') program.switches.add(name);
  else if (value === 'OFF') program.switches.delete(name);
}
