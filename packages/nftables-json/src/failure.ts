/**
 * Finds the command that a refused transaction failed at.
 *
 * In JSON mode libnftables gives every message the location internal:0:0-0. But a transaction fails at command n
 * exactly if its first n commands fail and its first n - 1 do not; both can be tried without effect in check mode. So
 * n is found by bisection, on the failure path only.
 */
import type { Command } from './command.js';
import type { ExecutionResult } from './executor.js';
import { classifyErrors, describeCommand, firstMessage, NftError } from './nft-error.js';
import type { Element } from './objects.js';

/** Above this many elements the failing one is not looked for: each try sends them again. */
const MAX_BISECTED_ELEMENTS = 20_000;

export type TryCommands = (commands: readonly Command[]) => Promise<ExecutionResult>;

/**
 * The error for a transaction that was refused.
 *
 * @param knownIndex where libnftables itself said which command it could not read
 * @param attempt runs commands in check mode
 */
export async function explainFailure(
  commands: readonly Command[],
  result: ExecutionResult,
  knownIndex: number | undefined,
  attempt: TryCommands,
): Promise<NftError> {
  let detail = result.errors;
  let index = knownIndex;
  if (index === undefined && commands.length === 1) {
    index = 0;
  } else if (index === undefined && classifyErrors(detail) !== 'EPERM') {
    const found = await bisect(commands.length, (length) => attempt(commands.slice(0, length)));
    if (found) {
      index = found.length - 1;
      detail = found.errors;
    }
  }
  const command = index === undefined ? undefined : commands[index];
  if (index === undefined || command === undefined) {
    return new NftError(
      classifyErrors(detail),
      `transaction of ${commands.length} commands: ${firstMessage(detail)}`,
      { detail },
    );
  }
  const element = await findElement(commands, index, command, attempt);
  const value = element === undefined ? undefined : elementsOf(command)?.elem[element];
  const place = [
    ...(commands.length > 1 ? [`command ${index + 1} of ${commands.length}`] : []),
    ...(value === undefined ? [] : [`element ${JSON.stringify(value)}`]),
  ];
  const suffix = place.length > 0 ? ` (${place.join(', ')})` : '';
  return new NftError(classifyErrors(detail), `${describeCommand(command)}: ${firstMessage(detail)}${suffix}`, {
    index,
    command,
    element,
    detail,
  });
}

/** Index of a command that libnftables names itself: only if it could not read its JSON. */
export function parseFailureIndex(errors: string): number | undefined {
  const digits = /Parsing command array at index (\d+) failed/u.exec(errors)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

async function findElement(
  commands: readonly Command[],
  index: number,
  command: Command,
  attempt: TryCommands,
): Promise<number | undefined> {
  const element = elementsOf(command);
  if (!element || element.elem.length < 2 || element.elem.length > MAX_BISECTED_ELEMENTS) {
    return element?.elem.length === 1 ? 0 : undefined;
  }
  const before = commands.slice(0, index);
  const found = await bisect(element.elem.length, (length) =>
    attempt([...before, withElements(command, { ...element, elem: element.elem.slice(0, length) })]),
  );
  return found === undefined ? undefined : found.length - 1;
}

/**
 * The shortest prefix that is refused, or undefined if the whole is accepted (the ruleset has changed since, or it
 * fails at commit only).
 */
async function bisect(
  total: number,
  attempt: (length: number) => Promise<ExecutionResult>,
): Promise<{ readonly length: number; readonly errors: string } | undefined> {
  const whole = await attempt(total);
  if (whole.ok) {
    return undefined;
  }
  let accepted = 0;
  let refused = { length: total, errors: whole.errors };
  while (refused.length - accepted > 1) {
    const middle = Math.floor((accepted + refused.length) / 2);
    const result = await attempt(middle);
    if (result.ok) {
      accepted = middle;
    } else {
      refused = { length: middle, errors: result.errors };
    }
  }
  return refused;
}

function elementsOf(command: Command): Element | undefined {
  const object =
    'add' in command
      ? command.add
      : 'create' in command
        ? command.create
        : 'delete' in command
          ? command.delete
          : 'destroy' in command
            ? command.destroy
            : undefined;
  return object && 'element' in object ? object.element : undefined;
}

function withElements(command: Command, element: Element): Command {
  if ('add' in command) {
    return { add: { element } };
  }
  if ('create' in command) {
    return { create: { element } };
  }
  return 'delete' in command ? { delete: { element } } : { destroy: { element } };
}
