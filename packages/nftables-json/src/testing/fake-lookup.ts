/** What the parts of the fake share: finding objects, counting references, rejecting with the kernel's errors. */
import { NftError, type NftErrorCode } from '../nft-error.js';
import type { Family } from '../objects.js';
import type { FakeState, FakeTable } from './fake-state.js';

export function count(state: FakeState, table: FakeTable, references: readonly string[], change: 1 | -1): void {
  for (const reference of references) {
    state.writeEntry(table.uses, reference, (table.uses.get(reference) ?? 0) + change);
  }
}

export function isUsed(table: FakeTable, reference: string): boolean {
  return (table.uses.get(reference) ?? 0) > 0;
}

export function tableOf(state: FakeState, reference: { readonly family: Family; readonly table: string }): FakeTable {
  return found(state.table(reference.family, reference.table));
}

export function nextHandle(state: FakeState, table: FakeTable): number {
  state.write(table, 'lastHandle', table.lastHandle + 1);
  return table.lastHandle;
}

export function found<T>(value: T | undefined): T {
  if (value === undefined) {
    throw new NftError('ENOENT', messageOf('ENOENT'));
  }
  return value;
}

export function refuseIf(condition: boolean, code: NftErrorCode): void {
  if (condition) {
    throw new NftError(code, messageOf(code));
  }
}

export function messageOf(code: NftErrorCode): string {
  const messages: Partial<Record<NftErrorCode, string>> = {
    EBUSY: 'Device or resource busy',
    EEXIST: 'File exists',
    EINVAL: 'Invalid argument',
    ENFILE: 'Too many open files in system',
    ENOENT: 'No such file or directory',
    EOPNOTSUPP: 'Operation not supported',
  };
  return `Could not process rule: ${messages[code] ?? code}`;
}
