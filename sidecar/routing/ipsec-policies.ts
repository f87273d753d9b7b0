import { type Network, parseNetwork } from '../../rules/index.js';
import { exec } from '../system/exec.js';

/** A policy of IPsec for packets that leave (`dir out`). */
export interface IpsecPolicy {
  /** What `ip xfrm policy` prints of its selector. */
  readonly selector: string;
  readonly source: Network;
  readonly destination: Network;
  /** The name or number that `ip` prints; null for any. */
  readonly protocol: string | null;
  /** Null for any. */
  readonly sourcePort: number | null;
  readonly destinationPort: number | null;
  /** Only packets with this mark. */
  readonly mark: { readonly value: number; readonly mask: number } | null;
  /** Of those that match, the one with the lowest number applies. */
  readonly priority: number;
  /** `none`: lets packets out as they are. */
  readonly action: 'encrypt' | 'drop' | 'none';
}

/** Reads them; none of a kernel without IPsec. Needs CAP_NET_ADMIN. */
export async function readIpsecPolicies(): Promise<readonly IpsecPolicy[]> {
  const { exitCode, stdout } = await exec('ip', ['-o', 'xfrm', 'policy', 'list', 'nosock', 'dir', 'out']);
  return exitCode === 0 ? parseIpsecPolicies(stdout) : [];
}

/** Parses `ip -o xfrm policy list`; without policies of XFRM devices, and without lines that it does not know. Pure. */
export function parseIpsecPolicies(text: string): readonly IpsecPolicy[] {
  return text.split('\n').flatMap((line) => {
    const policy = parseLine(line);
    return policy === null ? [] : [policy];
  });
}

function parseLine(line: string): IpsecPolicy | null {
  const [selector = '', direction = '', ...others] = line.split('\\').map((part) => part.trim());
  const words = wordsOf(selector);
  const rest = wordsOf(direction);
  const options = wordsOf(others.filter((part) => /^(?:mark|if_id) /.test(part)).join(' '));
  const source = parseNetwork(words.get('src') ?? '');
  const destination = parseNetwork(words.get('dst') ?? '');
  // One with an if_id holds for what leaves its XFRM device only, one with a device for that.
  if (source === null || destination === null || rest.get('dir') !== 'out') return null;
  if (options.has('if_id') || words.has('dev')) return null;
  const isTemplate = others.some((part) => part.startsWith('tmpl '));
  return {
    selector,
    source,
    destination,
    protocol: words.get('proto') ?? null,
    sourcePort: numberOf(words.get('sport')),
    destinationPort: numberOf(words.get('dport')),
    mark: markOf(options.get('mark')),
    priority: Number(rest.get('priority') ?? 0),
    action: rest.get('action') === 'block' ? 'drop' : isTemplate ? 'encrypt' : 'none',
  };
}

/** `name value name value`. */
function wordsOf(text: string): ReadonlyMap<string, string> {
  const words = text.split(' ');
  return new Map(words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1] ?? '']] : [])));
}

function numberOf(word: string | undefined): number | null {
  return word === undefined ? null : Number(word);
}

function markOf(word: string | undefined): IpsecPolicy['mark'] {
  const [value, mask = '0xffffffff'] = word?.split('/') ?? [];
  return value === undefined ? null : { value: Number(value), mask: Number(mask) };
}
