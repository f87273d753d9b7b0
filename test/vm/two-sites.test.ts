import { describeTwoSites } from '../netns/two-sites.js';

for (const shape of ['inline', 'one-arm'] as const) describeTwoSites({ shape, datapath: 'module' });
