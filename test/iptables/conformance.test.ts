/**
 * Suites of test/netns once more, with iptables: the settings GWMARK_FIREWALL and GWMARK_IPTABLES_FLAVOUR come from the environment, see
 * `npm run test:iptables`.
 */
import '../netns/matrix-udp4.test.js';
import '../netns/clients.test.js';
import '../netns/failover.test.js';
import '../netns/untouched.test.js';
