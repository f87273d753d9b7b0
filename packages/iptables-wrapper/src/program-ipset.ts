import { IptablesError, type IptablesErrorCode } from './iptables-error.js';
import type { RunOptions } from './iptables.js';
import type { Ipset, ListedSet, SetCommand, SetElement, SetSpec } from './ipset.js';
import { spawnRunner, type ProgramResult, type ProgramRunner } from './program-runner.js';
import { SerialQueue } from './serial-queue.js';
import {
  addLine,
  createLine,
  describeSetCommand,
  faultOfElement,
  faultOfSpec,
  lowerSetCommands,
  placeOf,
  secondName,
  splitStreams,
  type SetLine,
} from './set-commands.js';
import { parseSets } from './set-listing.js';

export interface IpsetOptions {
  /** Default `ipset`, found in PATH. */
  readonly program?: string;
  /** 1.. ms for one program, default 30000: 100,000 elements need less than one second. */
  readonly timeoutMs?: number;
  /** Most bytes of one listing, default 64 MiB. */
  readonly maxOutputBytes?: number;
}

/**
 * Opens the sets of the present network namespace, and tries them, so that a missing program, kernel part or right is
 * known at once.
 *
 * The caller owns the result and disposes it.
 *
 * @throws IptablesError UNAVAILABLE with the reason; EPERM without CAP_NET_ADMIN
 */
export async function openIpset(options: IpsetOptions = {}): Promise<Ipset> {
  const { program = 'ipset', timeoutMs = 30_000, maxOutputBytes = 64 * 1024 * 1024 } = options;
  for (const [name, value] of Object.entries({ timeoutMs, maxOutputBytes })) {
    if (!Number.isSafeInteger(value) || value < 1)
      throw new IptablesError('EINVAL', `${name}: ${value} is not a whole number above 0`);
  }
  const run = spawnRunner({ timeoutMs, maxOutputBytes });
  const { stdout } = await run(program, ['-v']);
  const ipset = new ProgramIpset(/v([\d.]+)/u.exec(stdout)?.[1] ?? '', program, run);
  await ipset.probe();
  return ipset;
}

/** Ipset over the program of that name. */
export class ProgramIpset implements Ipset {
  readonly version: string;
  readonly #program: string;
  readonly #runner: ProgramRunner;
  readonly #queue = new SerialQueue('ipset');

  constructor(version: string, program: string, runner: ProgramRunner) {
    this.version = version;
    this.#program = program;
    this.#runner = runner;
  }

  /** Rejects if sets cannot be used. */
  async probe(): Promise<void> {
    const result = await this.#runner(this.#program, ['list', '-n']);
    if (result.exitCode === 0) return;
    const { code, reason } = explainIpset(result);
    throw new IptablesError(code === 'EPERM' ? 'EPERM' : 'UNAVAILABLE', `${this.#program}: ${reason}`, {
      detail: result.stderr,
    });
  }

  run(commands: readonly SetCommand[], options: RunOptions = {}): Promise<void> {
    return this.#queue.run(async () => {
      for (const stream of splitStreams(lowerSetCommands(commands))) {
        const failure = await this.#restore(
          stream.map(({ text }) => text),
          stream[0]?.isLenient,
        );
        if (failure) throw commandError(commands, stream, failure);
      }
    }, options.signal);
  }

  replace(spec: SetSpec, elements: readonly SetElement[], options: RunOptions = {}): Promise<void> {
    return this.#queue.run(async () => {
      const fault =
        faultOfSpec(spec) ??
        elements.map((element) => faultOfElement(element, spec)).find((found) => found !== undefined);
      if (fault !== undefined) throw new IptablesError('EINVAL', `replace set ${spec.name}: ${fault}`);
      await this.#replace(spec, elements);
    }, options.signal);
  }

  list(name?: string, options: RunOptions = {}): Promise<readonly ListedSet[]> {
    return this.#queue.run(async () => {
      const result = await this.#runner(this.#program, name === undefined ? ['save'] : ['save', name]);
      if (result.exitCode === 0) return parseSets(result.stdout);
      const { code, reason } = explainIpset(result);
      throw new IptablesError(code, `list ${name === undefined ? 'sets' : `set ${name}`}: ${reason}`, {
        detail: result.stderr,
      });
    }, options.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
  }

  async #replace(spec: SetSpec, elements: readonly SetElement[]): Promise<void> {
    const { name } = spec;
    const second = secondName(name);
    const exists = (await this.#runner(this.#program, ['list', '-n', name])).exitCode === 0;
    // One that a killed run has left. Nothing refers to it.
    await this.#restore([`destroy ${second}`]);
    const lines = [
      createLine(spec, second),
      ...elements.map((element) => addLine(second, element)),
      ...(exists ? [`swap ${second} ${name}`, `destroy ${second}`] : [`rename ${second} ${name}`]),
    ];
    const failure = await this.#restore(lines, true);
    if (!failure) return;
    await this.#restore([`destroy ${second}`]);
    const text = failure.line === undefined ? undefined : lines[failure.line - 1];
    const { code, reason, line, detail } = failure;
    throw new IptablesError(code, `replace set ${name}${text === undefined ? '' : `: ${text}`}: ${reason}`, {
      line,
      text,
      detail,
    });
  }

  async #restore(lines: readonly string[], isLenient = false): Promise<(SetFailure & { detail: string }) | undefined> {
    if (lines.length === 0) return undefined;
    const result = await this.#runner(
      this.#program,
      isLenient ? ['restore', '-exist'] : ['restore'],
      lines.map((line) => `${line}\n`).join(''),
    );
    return result.exitCode === 0 ? undefined : { ...explainIpset(result), detail: result.stderr };
  }
}

interface SetFailure {
  readonly code: IptablesErrorCode;
  readonly reason: string;
  readonly line: number | undefined;
}

function commandError(
  commands: readonly SetCommand[],
  stream: readonly SetLine[],
  failure: SetFailure & { detail: string },
): IptablesError {
  const { code, reason, line, detail } = failure;
  const failed = line === undefined ? undefined : stream[line - 1];
  const command = failed && commands[failed.index];
  if (!failed || !command) return new IptablesError(code, `ipset: ${reason}`, { detail });
  const { text, index } = failed;
  return new IptablesError(code, `${describeSetCommand(command)}: ${text}: ${reason}${placeOf(commands, index)}`, {
    index,
    line,
    text,
    detail,
  });
}

/** Texts of ipset 7 (lib/errcode.c), the more specific first. */
const TEXTS: readonly (readonly [text: RegExp, code: IptablesErrorCode])[] = [
  [/Operation not permitted|Permission denied/u, 'EPERM'],
  [
    /set type not supported|typename .* is unknown|protocol version|Kernel support|supports? .* revision/iu,
    'EOPNOTSUPP',
  ],
  [/already exists|already added/u, 'EEXIST'],
  [/does not exist|not added|the second set does not exist/u, 'ENOENT'],
  [/is full/u, 'ENFILE'],
  [/in use by a kernel component/u, 'EBUSY'],
  [/[Oo]ut of memory|Cannot allocate memory/u, 'ENOMEM'],
  [/cannot open session to kernel|Cannot open session/u, 'UNAVAILABLE'],
  [
    /Syntax error|Unknown argument|type does not match|invalid|cannot be used|Invalid|unknown argument|Missing/u,
    'EINVAL',
  ],
];

function explainIpset({ exitCode, stderr }: ProgramResult): SetFailure {
  const message = stderr.split('\n').find((line) => line.startsWith('ipset ')) ?? stderr.trim();
  const [, line, reason = message] = /^ipset v[\d.]+: (?:Error in line (\d+): )?(.*)$/u.exec(message) ?? [];
  const code = TEXTS.find(([text]) => text.test(reason))?.[1] ?? 'UNKNOWN';
  return {
    code,
    reason: reason === '' ? `exit code ${exitCode}` : reason,
    line: line === undefined ? undefined : Number(line),
  };
}
