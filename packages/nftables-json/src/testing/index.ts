export { FakeNftables } from './fake-nftables.js';
