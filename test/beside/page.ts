import { GROUPS, type Naming, type Neighbour, TRANSPORTS } from './neighbour.js';
import type { Result } from './results.js';

const HEAD = `# Beside other programs

<!-- Made by \`npm run test:beside\`. Do not edit: change test/beside and run it. -->

gwmark is tried beside what a real machine has as well: other programs, other rules, other shapes of a network. Each row below is a lab of network namespaces (or, where it says so, a virtual
machine) with that neighbour in it and real OpenVPN; TCP, UDP and ping cross it over IPv4 and IPv6, opened by hosts behind two routers, by clients, and toward a subnet behind a client. A row
**passes** when everything arrives whole, every answer leaves to the MAC of the router that it came from, OpenVPN's own packets leave to the router of its clients, nobody asks ARP or neighbour
discovery for what is far, \`gwmark trace\` says what the frames show, and \`gwmark doctor\` reports no error. A **limit** is what does not work; then the row makes sure that doctor or trace names the cause.
`;

/**
 * Renders docs/reference/beside.md. @throws Error for a row of this machine without a result; those of a virtual
 * machine come by another command, and the page says which are missing
 */
export function renderPage(neighbours: readonly Neighbour[], results: readonly Result[]): string {
  const sections = GROUPS.map((group) => ({
    group,
    rows: neighbours.filter((neighbour) => neighbour.group === group),
  })).filter(({ rows }) => rows.length > 0);
  const text = sections.map(({ group, rows }) =>
    [
      `## ${group}`,
      '',
      '| beside | OpenVPN over | result |',
      '|---|---|---|',
      ...rows.map((row) => renderRow(row, results)),
      '',
    ].join('\n'),
  );
  return [HEAD, ...text].join('\n');
}

/** The transports that a row is tried over. */
export function transportsOf(neighbour: Neighbour): readonly string[] {
  return neighbour.transports ?? TRANSPORTS;
}

function renderRow(neighbour: Neighbour, results: readonly Result[]): string {
  const found = results.filter(
    (candidate) => candidate.name === neighbour.name && transportsOf(neighbour).includes(candidate.transport),
  );
  const missing = transportsOf(neighbour).filter(
    (transport) => !found.some((result) => result.transport === transport),
  );
  if (missing.length > 0 && neighbour.where !== 'vm')
    throw new Error(
      `beside ${neighbour.name}, OpenVPN over ${missing.join(', ')}: no result; run npm run test:beside`,
    );
  const versions = Object.entries(found[0]?.versions ?? {}).map(([program, version]) => `${program} ${version}`);
  const title = [
    neighbour.name,
    ...(versions.length === 0 ? [] : [`(${versions.join(', ')})`]),
    ...(neighbour.where === 'vm' ? ['(in a virtual machine)'] : []),
  ].join(' ');
  return `| ${title} | ${transportsOf(neighbour).join(', ')} | ${found.length === 0 ? 'no result yet' : [outcome(neighbour), ...missing.map((transport) => `no result yet over ${transport}`)].join('; ')} |`.replaceAll(
    '_',
    String.raw`\_`,
  );
}

function outcome({ limit, disturbances = {}, named = [] }: Neighbour): string {
  if (limit !== undefined) return `limit: ${limit.reason}; named by ${limit.named.map(naming).join(' and ')}`;
  const after = Object.keys(disturbances);
  return [
    after.length === 0 ? 'passes' : `passes, also after ${after.join(', after ')}`,
    ...named.map((each) => `${naming(each)} tells of it`),
  ].join('; ');
}

function naming(each: Naming): string {
  return each.by === 'doctor' ? `\`gwmark doctor\` (${each.check})` : '`gwmark trace`';
}
