import { describeInline } from '../netns/inline.js';

describeInline({ datapath: 'nexthop', hasVlans: true });
