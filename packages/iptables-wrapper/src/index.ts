export type { ChainRef, ChainRule, ChainRules, Command, Jump } from './command.js';
export type { Flavour, FlavourPrograms, FlavourReport } from './flavour.js';
export {
  IPTABLES_ERROR_CODES,
  IptablesError,
  isAlreadyExists,
  isNotFound,
  type IptablesErrorCode,
  type TableRef,
} from './iptables-error.js';
export type { Iptables, RunOptions, RunResult } from './iptables.js';
export type { Ipset, ListedSet, SetCommand, SetElement, SetElements, SetSpec, SetType, SetValues } from './ipset.js';
export { inspectIptables, openIptables, type IptablesOptions } from './open.js';
export { openIpset, type IpsetOptions } from './program-ipset.js';
export { parseSave, printSave, type Counters, type RuleLine, type SaveLine } from './save-format.js';
export {
  BUILT_IN_CHAINS,
  readTables,
  ruleTarget,
  type Family,
  type ListedChain,
  type ListedRule,
  type ListedTable,
  type RuleWords,
  type TableName,
} from './table.js';
export { Transaction } from './transaction.js';
export { joinWords, quoteWord, splitWords, type SplitWords } from './words.js';
