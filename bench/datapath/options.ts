import { type Parsed, parseValues, select } from '../command.js';

/** Where packets are measured, by the names that `--only` takes. */
export const ENGINES = ['icount', 'uml'] as const;

export type EngineName = (typeof ENGINES)[number];

/** The numbers of flows that `--flows` takes; guest/generator.sh knows how to spread them. */
export const FLOWS = [1, 1000, 100_000] as const;

export interface Options {
  /** Empty: those of the engine. */
  readonly flows: readonly number[];
  readonly engines: readonly EngineName[];
  readonly isQuick: boolean;
  readonly asJson: boolean;
}

export const HELP = `Usage: npm run bench:datapath -- [--only ENGINE]... [--flows N]... [--quick]
       npm run --silent bench:datapath -- --json

What a packet costs that an endpoint returns to its gateway, in a kernel of its own, Linux 6.1: by gwmark's two datapaths
and by what one would use without it. The endpoints take turns, and ratios are against the static route. And what a packet
costs that is not ours, beside gwmark and without it. At 1, 1,000 and 100,000 flows.

  returned packet   static      a static route, conntrack on
                    connmark    conntrack mark saved and restored by nft, a rule for the mark, a route
                    flowtable   static, and nf_flowtable: the kernel's own fast path
                    nexthop     what the sidecar installs for this datapath
                    module      what the sidecar installs for this datapath, and gwmark.ko
  not ours          plain       a static route, conntrack on
                    enabled     gwmark.ko switched on, without a rule
                    by-module   what the sidecar installs, and gwmark.ko
                    by-nexthop  what the sidecar installs

Engines:
  icount   Debian's kernel in qemu, time counted in instructions: the same figures on any machine, however loaded, but
           blind to caches
  uml      User Mode Linux, built from Debian's linux-source-6.1 the first time (some minutes): nanoseconds at native speed

Options:
  --only ENGINE  one of these; may be given twice. Default: both
  --flows N      1, 1000 or 100000; may be given several times. Default: all
  --quick        fewer flows and rounds: to try things out, not to judge by
  --json         one JSON object on standard output, progress on standard error
  --help         this text

pktgen hands its packets to a device as if they were received; every one has to come out of the other, with the MAC of
the gateway. What a packet costs that is dropped at the door is subtracted. Needs root, and installs what is missing.
Exit codes: 0 everything was measured, 1 something was not, 2 wrong usage. A missed bar does not change it.
`;

/** Reads the command line. */
export function parseOptions(args: readonly string[]): Parsed<Options> {
  const parsed = parseValues(args, {
    only: { type: 'string', multiple: true },
    flows: { type: 'string', multiple: true },
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  });
  if (parsed.kind === 'mistake') return parsed;
  const { values } = parsed;
  if (values.help === true) return { kind: 'help' };
  const engines = select('--only', ENGINES, values.only ?? []);
  if (engines.kind === 'mistake') return engines;
  const flows = (values.flows ?? []).map(Number);
  const strange = flows.findIndex((number) => !FLOWS.some((known) => known === number));
  if (strange !== -1)
    return { kind: 'mistake', message: `--flows ${values.flows?.[strange]}: expected one of ${FLOWS.join(', ')}` };
  return {
    kind: 'options',
    options: { flows, engines: engines.names, isQuick: values.quick === true, asJson: values.json === true },
  };
}
