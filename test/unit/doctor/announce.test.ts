import assert from 'node:assert/strict';
import { parseNetwork } from '../../../rules/index.js';
import { judgeAnnouncing } from '../../../sidecar/doctor/checks/announce.js';

const network = parseNetwork('192.0.2.128/26');
assert.ok(network);
const INSIDE = { network, tunnel: 'tun0', link: 'lan0', isOfClient: false, isAnswered: false };
const NOTHING = { announced: 0, pending: 0, taken: [], omitted: [] };
const FACTS = { isProxy: true, inside: [INSIDE], withoutProxyNdp: [], announcements: NOTHING, strays: [] };

/** Severity and what was found of each, in one line. */
function judged(facts: Partial<typeof FACTS> | object): readonly string[] {
  return judgeAnnouncing({ ...FACTS, ...facts }).map(
    ({ severity, subject, found }) => `${severity} ${subject}: ${found}`,
  );
}

describe('judgeAnnouncing', () => {
  it('says nothing where no client lies in the network of a link', () => {
    assert.deepEqual(judged({ isProxy: false, inside: [], announcements: null }), []);
  });

  it('warns of clients for which nobody answers', () => {
    const [found] = judgeAnnouncing({ ...FACTS, isProxy: false, announcements: null });
    assert.equal(found?.severity, 'warn');
    assert.equal(found.remedy, 'set announce: proxy');
    assert.deepEqual(judged({ isProxy: false, inside: [{ ...INSIDE, isAnswered: true }] }), [
      'ok 192.0.2.128/26 on tun0: the endpoint answers for addresses of it on lan0',
    ]);
  });

  it('is content when every client is announced', () => {
    assert.deepEqual(judged({ announcements: { ...NOTHING, announced: 2 } }), [
      'ok announce: proxy: 2 announced, no other host has one of these addresses',
    ]);
    assert.match(judged({ inside: [] })[0] ?? '', /^info announce: proxy: no network of a tunnel/);
  });

  it('names hosts that have the address of a client, or another one of the tunnel', () => {
    const mac = '02:00:00:00:00:50';
    const taken = [{ address: '192.0.2.131', device: 'lan0', mac }];
    assert.match(judged({ announcements: { ...NOTHING, taken } })[0] ?? '', /^error 192.0.2.131 on lan0: .*00:50/);
    const strays = [{ address: '192.0.2.140', mac, link: 'lan0', tunnel: 'tun0' }];
    assert.match(judged({ strays })[0] ?? '', /^error 192.0.2.140 on lan0: .*routes it to tun0/);
    assert.equal(judged({ isProxy: false, strays }).length, 2);
  });

  it('names what is not announced, and what is missing for it', () => {
    const omitted = [{ network: '192.0.0.0/20', device: 'lan0' }];
    assert.match(judged({ announcements: { ...NOTHING, omitted } })[0] ?? '', /^warn 192.0.0.0\/20 on lan0/);
    assert.match(judged({ withoutProxyNdp: ['lan0'] })[0] ?? '', /^error net.ipv6.conf.lan0.proxy_ndp/);
    assert.match(
      judged({ announcements: { ...NOTHING, silent: 'no' } })[0] ?? '',
      /^info gratuitous ARP: not sent: no/,
    );
    assert.match(judged({ inside: [{ ...INSIDE, isOfClient: true }] })[0] ?? '', /^info .*an OpenVPN client/);
  });
});
