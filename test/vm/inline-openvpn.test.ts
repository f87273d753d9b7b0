import { describeInline } from '../netns/inline.js';

describeInline({ datapath: 'module', hasVlans: true });
