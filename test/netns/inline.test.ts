import { describeInline } from './inline.js';

describeInline({ datapath: 'nexthop', hasVlans: false });
