import { describeInline } from './inline.js';

for (const transport of ['udp', 'tcp'] as const) describeInline({ datapath: 'nexthop', hasVlans: false, transport });
