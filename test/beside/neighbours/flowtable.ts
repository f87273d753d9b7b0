import type { Neighbour } from '../neighbour.js';
import type { Scene } from '../scene.js';

/**
 * Another program's flowtable with the endpoint's devices, as a router's firewall has it: every flow that is answered
 * goes past the hooks from then on.
 */
async function flowtable({ endpoint }: Scene): Promise<void> {
  await endpoint.run(['nft', '-f', '-'], {
    input: `table inet other {
 flowtable fast { hook ingress priority filter; devices = { lan0, tun0 }; }
 chain forward { type filter hook forward priority filter; policy accept; meta l4proto { tcp, udp } ct state established flow add @fast; }
}
`,
  });
}

/** A flowtable is a module of the kernel that the one of a small machine may lack: it runs in a guest. */
export const FLOWTABLE_NEIGHBOURS: readonly Neighbour[] = [
  { name: "another program's flowtable with our devices", group: 'Packet filters', where: 'vm', prepare: flowtable },
];
