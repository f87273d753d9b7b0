import type { Key } from '../keys.js';
import { type Order, ORDERS } from './order.js';

export type TableName = 'clients' | 'gateways';

/** What the user chose. */
export interface TopState {
  /** The table that keys scroll and filter. */
  readonly focus: TableName;
  readonly order: Order;
  readonly isReversed: boolean;
  readonly filters: Readonly<Record<TableName, string>>;
  /** The first row that is shown, from 0; the view shows the last rows where there are fewer. */
  readonly offsets: Readonly<Record<TableName, number>>;
  /** Keys are letters of the filter. */
  readonly isTyping: boolean;
  readonly isPaused: boolean;
  readonly isHelpShown: boolean;
}

/** What is shown, as far as keys depend on it. */
export interface TopExtent {
  /** Rows of each table that fit. */
  readonly pages: Readonly<Record<TableName, number>>;
  /** Rows of each table that there are. */
  readonly counts: Readonly<Record<TableName, number>>;
}

/** The keys, as the help shows them. */
export const TOP_KEYS: readonly (readonly [keys: string, meaning: string])[] = [
  ['Tab', 'the other table: clients, gateways'],
  ['/', 'filter the table by a text; Enter keeps it, Escape removes it'],
  ['s  S', 'sort by the next, by the previous order'],
  ['r', 'reverse the order'],
  ['Up Down PgUp PgDn Home End', 'scroll; also k j g G'],
  ['Space', 'pause, continue'],
  ['^L  ^Z', 'draw everything again; stop until fg'],
  ['?  h', 'this help'],
  ['q  ^C', 'quit'],
];

const ORDER_NAMES = Object.keys(ORDERS) as Order[];

/** What a user begins with. */
export function beginTop(order: Order, isReversed: boolean, filter: string): TopState {
  return {
    focus: 'clients',
    order,
    isReversed,
    filters: { clients: filter, gateways: '' },
    offsets: { clients: 0, gateways: 0 },
    isTyping: false,
    isPaused: false,
    isHelpShown: false,
  };
}

/** After a key; the same object if it means nothing. Pure. */
export function afterKey(state: TopState, key: Key, extent: TopExtent): TopState {
  if (state.isTyping) return afterLetter(state, key);
  if (state.isHelpShown) return { ...state, isHelpShown: false };
  switch (key.name === '' ? key.text : key.name) {
    case 'tab':
      return { ...state, focus: state.focus === 'clients' ? 'gateways' : 'clients' };
    case 's':
      return { ...state, order: neighbour(state.order, key.text === 'S' ? -1 : 1) };
    case 'r':
      return { ...state, isReversed: !state.isReversed };
    case 'space':
      return { ...state, isPaused: !state.isPaused };
    case 'escape':
      return withFilter(state, '');
    case '/':
      return { ...state, isTyping: true };
    case '?':
    case 'h':
      return { ...state, isHelpShown: true };
    default:
      return scrolled(state, key, extent);
  }
}

function scrolled(state: TopState, { name, text }: Key, { pages, counts }: TopExtent): TopState {
  const { focus, offsets } = state;
  const last = Math.max(0, counts[focus] - pages[focus]);
  const steps: Readonly<Record<string, number>> = {
    up: -1,
    k: -1,
    down: 1,
    j: 1,
    pageup: -pages[focus],
    pagedown: pages[focus],
    home: -Infinity,
    end: Infinity,
    g: text === 'G' ? Infinity : -Infinity,
  };
  const step = steps[name];
  if (step === undefined) return state;
  const offset = Math.min(last, Math.max(0, Math.min(offsets[focus], last) + step));
  return { ...state, offsets: { ...offsets, [focus]: offset } };
}

function afterLetter(state: TopState, { name, isCtrl, text }: Key): TopState {
  const filter = state.filters[state.focus];
  if (name === 'return' || name === 'enter') return { ...state, isTyping: false };
  if (name === 'escape') return { ...withFilter(state, ''), isTyping: false };
  if (name === 'backspace') return withFilter(state, Array.from(filter).slice(0, -1).join(''));
  if (isCtrl && name === 'u') return withFilter(state, '');
  return text === '' ? state : withFilter(state, filter + text);
}

function withFilter(state: TopState, filter: string): TopState {
  const { focus, filters, offsets } = state;
  return { ...state, filters: { ...filters, [focus]: filter }, offsets: { ...offsets, [focus]: 0 } };
}

function neighbour(order: Order, step: 1 | -1): Order {
  const at = ORDER_NAMES.indexOf(order) + step + ORDER_NAMES.length;
  return ORDER_NAMES[at % ORDER_NAMES.length] ?? 'rate';
}
