/** A program that uses one package as its user would, and what it prints. */
export interface UserProgram {
  /** TypeScript, a module. */
  readonly source: string;
  /** Standard output. */
  readonly prints: string;
}

/** One for each package, by its name. Each runs in a network namespace of its own, as root. */
export const PROGRAMS: Readonly<Record<string, UserProgram>> = {
  'nftables-json': {
    source: `import { isNotFound, openNftables, Transaction } from 'nftables-json';

// \`library\`: libnftables in this process or not at all.
await using nftables = await openNftables({ executor: 'library' });
const set = { family: 'inet', table: 'vpn', name: 'clients' } as const;
await nftables.run(
  new Transaction().add({ table: { family: 'inet', name: 'vpn' } }).add({ set: { ...set, type: 'ipv4_addr' } }).add({ element: { ...set, elem: ['10.8.0.2'] } }).commands,
);
const missing = await nftables.run([{ delete: { element: { ...set, elem: ['10.8.0.9'] } } }]).then(() => false, isNotFound);
console.log((await nftables.list({ set })).flatMap((object) => ('set' in object ? [object.set.elem] : [])), missing);
`,
    prints: "[ [ '10.8.0.2' ] ] true\n",
  },
  'iptables-wrapper': {
    source: `import { openIptables, Transaction } from 'iptables-wrapper';

await using iptables = await openIptables({ prefix: 'VPN-' });
const place = { family: 4, table: 'mangle' } as const;
await iptables.run(
  new Transaction()
    .replace({ ...place, chain: 'VPN-in', rules: [['-j', 'MARK', '--set-xmark', '0x1/0xff']] })
    .jump({ ...place, chain: 'PREROUTING', target: 'VPN-in', at: 'first' }).commands,
);
console.log(await iptables.sweep());
`,
    prints: "[ 'IPv4 mangle VPN-in' ]\n",
  },
  'openvpn-management-client': {
    source: `import { Decoder, type Message } from 'openvpn-management-client';

const decoder = new Decoder();
const messages: Message[] = [];
for (const chunk of ['>CLIENT:ADDR', 'ESS,3,10.8.0.2,1\\r\\n']) messages.push(...decoder.push(Buffer.from(chunk)));
const [message] = messages;
console.log(message?.kind, message?.kind === 'client:address' ? message.address.cidr : '');
`,
    prints: 'client:address 10.8.0.2/32\n',
  },
};
