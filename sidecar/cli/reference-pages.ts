import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { IPTABLES_ERROR_CODES } from 'iptables-wrapper';
import { NFT_ERROR_CODES } from 'nftables-json';
import { MANAGEMENT_ERROR_CODES } from 'openvpn-management-client';
import { stringify } from 'yaml';

import { toPlainSettings } from '../config/build.js';
import { DEFAULT_CONFIG_FILE } from '../config/load.js';
import { showValue } from '../config/problem.js';
import { RELOADABLE } from '../config/reload.js';
import { resolveSettings } from '../config/resolve.js';
import { CONFIG_ENV } from '../config/sources.js';
import { SETTINGS } from '../config/table.js';
import { CHECKS } from '../doctor/checks.js';
import { ERROR_CODES } from '../errors.js';
import { LOG_EVENTS } from '../log/events.js';
import { METRICS } from '../metrics/table.js';
import { TRACE_STEPS } from '../trace/trace.js';
import { EXIT_CODES } from './exit-codes.js';

/** A page of docs/reference that is made from the code. */
export interface ReferencePage {
  /** Its name in docs/reference. */
  readonly file: string;
  readonly text: string;
}

const NOTICE = '<!-- Made by `npm run docs` from the code; a test compares. -->';

/** Codes of the packages' errors, under headings of the page of errors. */
const CAUSES: readonly { readonly title: string; readonly codes: Readonly<Record<string, string>> }[] = [
  { title: "OpenVPN's management interface", codes: MANAGEMENT_ERROR_CODES },
  { title: 'nftables', codes: NFT_ERROR_CODES },
  { title: 'iptables and ipset', codes: IPTABLES_ERROR_CODES },
];

/** All generated pages. Pure. */
export function referencePages(): readonly ReferencePage[] {
  return [
    { file: 'settings.md', text: settingsPage() },
    { file: 'errors.md', text: errorsPage() },
    { file: 'exit-codes.md', text: exitCodesPage() },
    { file: 'log-events.md', text: logEventsPage() },
    { file: 'metrics.md', text: metricsPage() },
    { file: 'doctor.md', text: doctorPage() },
    { file: 'trace.md', text: tracePage() },
  ];
}

/** Writes the pages into a directory, normally docs/reference. */
export async function writeReferencePages(directory: string): Promise<void> {
  for (const { file, text } of referencePages()) await writeFile(join(directory, file), text);
}

function settingsPage(): string {
  const rows = SETTINGS.map((setting) => {
    const plain = setting.toPlain(setting.default);
    const shown = plain === null ? 'none' : Array.isArray(plain) ? 'empty' : `\`${showValue(plain)}\``;
    return [`\`${setting.path}\``, setting.type, shown, setting.doc, `\`${setting.flag}\``, `\`${setting.env}\``];
  });
  const defaults = resolveSettings([], '/').flat;
  return page('Settings', [
    `Settings come from flags, from the environment, from a YAML file and from defaults, in this order of precedence. The file is named by \`--config\` or \`${CONFIG_ENV}\`; without either, \`${DEFAULT_CONFIG_FILE}\` is read if it exists. \`gwmark check\` tries a configuration and lists all its faults.`,
    'Lists are given in flags and variables with commas, or by repeating the flag; a source replaces the list of a lower one. A variable that is set but empty counts as not set. An unknown key of the file, an unknown `GWMARK_` variable (but for the links that Kubernetes and docker set) and an unknown flag are errors. A relative path is taken from the directory of the file that holds it, else from the working directory.',
    table(['setting', 'type', 'default', 'meaning', 'flag', 'environment'], rows),
    '## In a running sidecar',
    'SIGHUP makes it read its configuration again, from the same file, environment and flags. A faulty configuration changes nothing, and the log lists its faults. Flows go on either way.',
    `At once: ${[...RELOADABLE].map((path) => `\`${path}\``).join(', ')}. A management endpoint that is named no more is left, and its clients' rules go; a new one is followed.`,
    'Everything else waits for a restart, and the log names it (`config.restart_needed`). A restart loses no flow either: what is in the kernel stays.',
    '## A complete file',
    'With the defaults, and one management endpoint:',
    codeBlock(stringify({ ...toPlainSettings(defaults), ...exampleManagement(toPlainSettings(defaults)) }).trimEnd()),
  ]);
}

/** What the example has in place of the defaults: one endpoint, and nothing for what has no default. */
function exampleManagement(plain: Readonly<Record<string, unknown>>): object {
  const { passwordFile: _none, ...rest } = plain['management'] as Readonly<Record<string, unknown>>;
  return { uplink: undefined, management: { ...rest, endpoints: ['unix:/run/openvpn/management.sock'] } };
}

function errorsPage(): string {
  const rows = Object.entries(ERROR_CODES).map(([code, { exitCode, meaning, remedy }]) => [
    `\`${code}\``,
    String(exitCode),
    meaning,
    remedy,
  ]);
  return page('Errors', [
    'A command that fails prints one message to standard error. `gwmark run` logs it as the event `daemon.failed`, whose field `code` is one of these; the codes are stable.',
    table(['code', 'exit code', 'meaning', 'remedy'], rows),
    '## Causes',
    'What went wrong below stands in the log too, as `code` of the field that bears the error or of its `cause`. These codes come from the three packages; besides them a cause may have a name of errno(3) from Node.',
    ...CAUSES.flatMap(({ title, codes }) => [
      `### ${title}`,
      table(
        ['code', 'meaning'],
        Object.entries(codes).map(([code, meaning]) => [`\`${code}\``, meaning]),
      ),
    ]),
  ]);
}

function exitCodesPage(): string {
  const rows = EXIT_CODES.map(({ code, meaning, cases }) => [String(code), [meaning, ...cases].join('<br>')]);
  return page('Exit codes', [
    table(['code', 'meaning'], rows),
    'Which error leads to which code stands in [errors.md](errors.md).',
  ]);
}

function logEventsPage(): string {
  const rows = Object.entries(LOG_EVENTS).map(([event, { level, meaning, action }]) => [
    `\`${event}\``,
    level,
    meaning,
    action,
  ]);
  return page('Log events', [
    'Every line of the log is one event: its time, level and name, then fields. Names are stable. Passwords, session ids, tokens and other secrets are printed as `***`.',
    'error: the operator must act. warn: degraded, heals by itself. info: a state changed. debug: everything else.',
    table(['event', 'level', 'meaning', 'what to do'], rows),
  ]);
}

function metricsPage(): string {
  const rows = Object.entries(METRICS).map(([name, { type, help, labels }]) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(', '),
    help,
  ]);
  return page('Metrics', [
    'With the setting `metrics.listen` (off by default) the sidecar answers GET and HEAD over HTTP on a unix socket or a TCP port:',
    table(
      ['page', 'answer'],
      [
        [
          '`/metrics`',
          'the metrics below, Prometheus text format 0.0.4; counters of the kernel are read at each scrape',
        ],
        ['`/livez`', '200 while the process answers'],
        [
          '`/readyz`',
          '200 when every management socket is connected, the table is in the kernel (it is looked at) and the datapath works; else 503 with the reasons, one a line',
        ],
      ],
    ),
    'Nobody is asked for a password: use a unix socket, loopback or a network that you trust. A port that is taken is logged (`metrics.unavailable`) and tried again; traffic does not depend on it.',
    table(['metric', 'type', 'labels', 'meaning'], rows),
    'Counters of gateways and of fall-through begin anew when the table or the module is replaced. At most 500 gateways have series of their own. What a datapath does not count has no series.',
    'A Grafana dashboard is in `deploy/grafana/gwmark.json`, alert rules with their tests are in `deploy/prometheus/`.',
  ]);
}

function doctorPage(): string {
  const rows = CHECKS.map(({ name, doc, needsNetAdmin }) => [
    `\`${name}\``,
    doc,
    needsNetAdmin ? 'CAP_NET_ADMIN' : 'nothing',
  ]);
  return page('Checks of `gwmark doctor`', [
    '`gwmark doctor` prints one table: what, found, expected, how to fix; `--json` has the name of the check too. It takes the settings of `gwmark run`, changes nothing, and never takes a management slot that is in use.',
    'ok: as expected. info: worth knowing, nothing is wrong. warn: works, but not always or not as well as it could. error: does not work, or will not. Exit code: 0 for nothing worse than info, 3 for warnings, 1 for errors.',
    table(['check', 'what it looks at', 'needs'], rows),
    'Without root, other processes are out of sight: what holds a management socket, and the options of OpenVPN, are then told as far as /proc shows them.',
  ]);
}

function tracePage(): string {
  const rows = Object.entries(TRACE_STEPS).map(([step, text]) => [`\`${step}\``, text]);
  return page('Steps of `gwmark trace`', [
    '`gwmark trace SRC DST` follows what DST sends to SRC, in the direction in which gwmark sends by MAC: the answers of a flow that SRC opened, or, of a flow that DST opened, what DST sends. `--proto`, `--sport` (of SRC) and `--dport` (of DST) choose among several flows; without them one that has a gateway is preferred.',
    'It prints the steps up to the first that fails, one sentence, where the packets go instead, and how to fix it. Exit code: 0 when they go by MAC, 1 when not.',
    table(['step', 'what must be so'], rows),
    '`--json` prints `{query, goesByMac, steps: [{step, ok, text, remedy}], sentence, instead}`. `remedy` is null in a step that is as expected, `instead` where packets go by MAC and where there are none.',
    'Everything is read from the kernel of this network namespace; a running sidecar adds names, and says which datapath and mark it uses. Without one, what it left is explained. Rules of chain FORWARD are not looked at: a firewall of yours may still drop what this command calls sent.',
  ]);
}

function page(title: string, blocks: readonly string[]): string {
  return `${[`# ${title}`, NOTICE, ...blocks].join('\n\n')}\n`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, header.map(() => '---'), ...rows].map(
    (row) => `| ${row.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`,
  );
  return lines.join('\n');
}

function codeBlock(yaml: string): string {
  return `\`\`\`yaml\n${yaml}\n\`\`\``;
}
