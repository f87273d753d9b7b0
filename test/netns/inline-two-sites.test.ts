import { describeTwoSites } from './two-sites.js';

describeTwoSites({ shape: 'inline', datapath: 'nexthop' });
