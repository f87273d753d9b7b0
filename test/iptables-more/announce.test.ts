/** The suite of test/netns once more, with the iptables that the environment names: see `npm run test:iptables`. */
import '../netns/announce.test.js';
