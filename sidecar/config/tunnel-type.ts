import * as v from 'valibot';

import { BASE, decodeList, type Described, described, type Kind, uniqueList } from './setting-types.js';
import { type ConfiguredTunnel, parseTunnel, plainTunnel, TUNNEL_EXPECTED } from './tunnel.js';

/** Devices of other VPN programs, each once. */
export function tunnels(row: Described<readonly ConfiguredTunnel[]>): Kind<readonly ConfiguredTunnel[]> {
  const element = v.pipe(
    v.unknown(),
    v.rawTransform<unknown, ConfiguredTunnel>(({ dataset, addIssue, NEVER }) => {
      const result = parseTunnel(dataset.value);
      if ('tunnel' in result) return result.tunnel;
      addIssue({ message: result.expected });
      return NEVER;
    }),
  );
  return {
    ...BASE,
    type: 'list of `DEVICE NETWORK... [udp/PORT]`; in YAML also of `{device, networks, transport}`',
    expected: TUNNEL_EXPECTED,
    ...described(row),
    schema: uniqueList(element, ({ device }) => device),
    isList: true,
    decode: (raw, form) =>
      form === 'yaml' && typeof raw === 'object' && !Array.isArray(raw) ? [raw] : decodeList(raw, form),
    toPlain: (value) => value.map((item) => plainTunnel(item)),
  };
}
