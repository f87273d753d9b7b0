import assert from 'node:assert/strict';
import type { Message } from 'openvpn-management-client';
import { decode } from './decode.js';

const single: readonly (readonly [string, Record<string, unknown>])[] = [
  ['SUCCESS: pid=5', { kind: 'success', text: 'pid=5' }],
  ['SUCCESS:', { kind: 'success', text: '' }],
  ['ERROR: unknown command', { kind: 'error', text: 'unknown command' }],
  ['END', { kind: 'end' }],
  ['END ', { kind: 'line', text: 'END ' }],
  ['', { kind: 'line', text: '' }],
  [
    '>LOG:1700000000,,no flags, with a comma',
    { kind: 'log', timeSeconds: 1700000000, flags: '', text: 'no flags, with a comma' },
  ],
  ['>ECHO:1700000000,forget-passwords', { kind: 'echo', timeSeconds: 1700000000, text: 'forget-passwords' }],
  ['>HOLD:Waiting for hold release', { kind: 'hold', text: 'Waiting for hold release', waitSeconds: undefined }],
  ['>INFOMSG:WEB_AUTH::https://vpn.example/', { kind: 'infomsg', text: 'WEB_AUTH::https://vpn.example/' }],
  ['>BYTECOUNT:1,18446744073709551615', { kind: 'bytecount', bytesIn: 1n, bytesOut: 18446744073709551615n }],
  [
    '>BYTECOUNT_CLI:18446744073709551615,9007199254740993,2',
    { kind: 'client:bytecount', cid: '18446744073709551615', bytesIn: 9007199254740993n, bytesOut: 2n },
  ],
  ['>NOTIFY:info,remote-exit,EXIT', { kind: 'notify', severity: 'info', type: 'remote-exit', text: 'EXIT' }],
  [
    '>FATAL:Cannot open TUN/TAP dev /dev/net/tun: No such file',
    { kind: 'fatal', text: 'Cannot open TUN/TAP dev /dev/net/tun: No such file' },
  ],
  [
    ">PASSWORD:Need 'Auth' username/password",
    { kind: 'password:need', type: 'Auth', needs: 'username/password', challenge: undefined },
  ],
  [
    ">PASSWORD:Need 'Auth' username/password SC:1,Your PIN, please",
    {
      kind: 'password:need',
      type: 'Auth',
      needs: 'username/password',
      challenge: { flags: 1, text: 'Your PIN, please' },
    },
  ],
  [
    ">PASSWORD:Need 'Private Key' password",
    { kind: 'password:need', type: 'Private Key', needs: 'password', challenge: undefined },
  ],
  [">PASSWORD:Verification Failed: 'Auth'", { kind: 'password:failed', type: 'Auth', reason: undefined }],
  [
    ">PASSWORD:Verification Failed: 'Auth' ['CRV1:R:abc:Zm9v:PIN']",
    { kind: 'password:failed', type: 'Auth', reason: 'CRV1:R:abc:Zm9v:PIN' },
  ],
  [
    ">NEED-OK:Need 'token-insertion-request' confirmation MSG:Please insert",
    { kind: 'need-ok', type: 'token-insertion-request', text: 'Please insert' },
  ],
  [">NEED-STR:Need 'name' input MSG:Please specify", { kind: 'need-str', type: 'name', text: 'Please specify' }],
  [
    '>NEED-CERTIFICATE:macosx-keychain:subject:o=Example',
    { kind: 'need-certificate', hint: 'macosx-keychain:subject:o=Example' },
  ],
  ['>PK_SIGN:Zm9v,RSA_PKCS1_PADDING', { kind: 'pk-sign', data: 'Zm9v', algorithm: 'RSA_PKCS1_PADDING' }],
  ['>RSA_SIGN:Zm9v', { kind: 'rsa-sign', data: 'Zm9v', algorithm: undefined }],
  ['>REMOTE:vpn.example,1194,udp', { kind: 'remote', host: 'vpn.example', port: 1194, protocol: 'udp' }],
  ['>PROXY:1,TCP,vpn.example', { kind: 'proxy', index: 1, protocol: 'TCP', host: 'vpn.example' }],
  ['>PKCS11ID-COUNT:2', { kind: 'pkcs11:count', count: 2 }],
  [">PKCS11ID-ENTRY:'0', ID:'a b', BLOB:'Zm9v'", { kind: 'pkcs11:entry', index: 0, id: 'a b', blob: 'Zm9v' }],
  [
    '>CLIENT:ADDRESS,3,10.8.0.2,1',
    {
      kind: 'client:address',
      cid: '3',
      address: { family: 4, address: '10.8.0.2', prefixLength: 32, cidr: '10.8.0.2/32' },
      isPrimary: true,
    },
  ],
  [
    '>CLIENT:ADDRESS,3,fd00:77::/64,0',
    {
      kind: 'client:address',
      cid: '3',
      address: { family: 6, address: 'fd00:77::', prefixLength: 64, cidr: 'fd00:77::/64' },
      isPrimary: false,
    },
  ],
  [
    '>CLIENT:ADDRESS,3,10.0.0.0/255.0.255.0,0',
    {
      kind: 'unknown',
      source: 'CLIENT',
      text: 'ADDRESS,3,10.0.0.0/255.0.255.0,0',
      reason: 'no address, or a netmask with holes',
    },
  ],
  ['>FOO:bar', { kind: 'unknown', source: 'FOO', text: 'bar', reason: 'no such type' }],
  ['>__proto__:bar', { kind: 'unknown', source: '__proto__', text: 'bar', reason: 'no such type' }],
  ['>nothing', { kind: 'unknown', source: '', text: 'nothing', reason: 'no type' }],
  ['>LOG:yesterday,I,x', { kind: 'unknown', source: 'LOG', text: 'yesterday,I,x', reason: 'does not parse' }],
];

describe('Decoder messages', () => {
  for (const [line, expected] of single) {
    it(`reads ${JSON.stringify(line)}`, () => {
      assert.deepEqual(decode(`${line}\r\n`), [expected]);
    });
  }

  it('reads a state with its ninth field, and one of 2.3 without it', () => {
    assert.deepEqual(
      decode('>STATE:1,CONNECTED,SUCCESS,10.8.0.1,,,192.0.2.1,1194,fd00:8::1\r\n>STATE:2,EXITING,SIGTERM,,\r\n'),
      [
        {
          kind: 'state',
          timeSeconds: 1,
          name: 'CONNECTED',
          description: 'SUCCESS',
          tunnelAddress: '10.8.0.1',
          remoteAddress: undefined,
          remotePort: undefined,
          localAddress: '192.0.2.1',
          localPort: 1194,
          tunnelAddress6: 'fd00:8::1',
        },
        {
          kind: 'state',
          timeSeconds: 2,
          name: 'EXITING',
          description: 'SIGTERM',
          tunnelAddress: undefined,
          remoteAddress: undefined,
          remotePort: undefined,
          localAddress: undefined,
          localPort: undefined,
          tunnelAddress6: undefined,
        },
      ],
    );
  });

  it('gives a client event once, with its whole environment', () => {
    const [message, ...more] = decode(
      '>CLIENT:CONNECT,7,1\r\n>CLIENT:ENV,n_clients=0\r\n>CLIENT:ENV,common_name=a=b,c\r\n>CLIENT:ENV,END\r\n',
    );

    assert.ok(message?.kind === 'client:connect');
    assert.deepEqual(more, []);
    assert.equal(message.cid, '7');
    assert.equal(message.kid, '1');
    assert.equal(message.env.size, 2);
    assert.equal(message.env.get('common_name'), 'a=b,c');
  });

  it('gives a DISCONNECT with an empty environment', () => {
    const [message] = decode('>CLIENT:DISCONNECT,7\r\n>CLIENT:ENV,END\r\n');

    assert.ok(message?.kind === 'client:disconnect');
    assert.equal(message.env.size, 0);
  });

  it('keeps the padding of a challenge response', () => {
    const [message] = decode('>CLIENT:CR_RESPONSE,7,2,Zm9vYg==\r\n>CLIENT:ENV,END\r\n');

    assert.ok(message?.kind === 'client:cr-response');
    assert.equal(message.response.reveal(), 'Zm9vYg==');
  });

  it('gives a log line inside an environment block first, and the block whole', () => {
    const [log, message] = decode(
      '>CLIENT:ESTABLISHED,7\r\n>CLIENT:ENV,a=1\r\n>LOG:1,W,validation failed\r\nSUCCESS: x\r\n>CLIENT:ENV,b=2\r\n>CLIENT:ENV,END\r\n',
    ).filter(({ kind }) => kind !== 'success');

    assert.equal(log?.kind, 'log');
    assert.ok(message?.kind === 'client:established');
    assert.deepEqual(
      [...message.env],
      [
        ['a', '1'],
        ['b', '2'],
      ],
    );
  });

  it('ends a block at the exact line END only', () => {
    const [message] = decode(
      '>CLIENT:ESTABLISHED,7\r\n>CLIENT:ENV,UV_X=END\r\n>CLIENT:ENV,END=1\r\n>CLIENT:ENV,ENDE\r\n>CLIENT:ENV,END\r\n',
    );

    assert.ok(message?.kind === 'client:established');
    assert.deepEqual(
      [...message.env],
      [
        ['UV_X', 'END'],
        ['END', '1'],
        ['ENDE', ''],
      ],
    );
  });

  it('reports a block that the next event breaks off, and goes on with that', () => {
    const messages = decode('>CLIENT:ESTABLISHED,7\r\n>CLIENT:ENV,a=1\r\n>CLIENT:DISCONNECT,8\r\n>CLIENT:ENV,END\r\n');

    assert.deepEqual(
      messages.map(({ kind }) => kind),
      ['unknown', 'client:disconnect'],
    );
  });

  it('reports an unknown client event once and skips its block', () => {
    const messages = decode('>CLIENT:BAR,7\r\n>CLIENT:ENV,password=x\r\n>CLIENT:ENV,END\r\nEND\r\n');

    assert.deepEqual(messages, [
      { kind: 'unknown', source: 'CLIENT', text: 'BAR,7', reason: 'no such client event, or it does not parse' },
      { kind: 'end' },
    ]);
  });

  it('does not show the value of a stray environment line', () => {
    assert.deepEqual(decode('>CLIENT:ENV,password=hunter2\r\n'), [
      { kind: 'unknown', source: 'CLIENT', text: 'ENV,password=***', reason: 'outside of an environment block' },
    ]);
  });

  it('gives the environment of UPDOWN', () => {
    const [message] = decode('>UPDOWN:UP\r\n>UPDOWN:ENV,dev=tun0\r\n>UPDOWN:ENV,END\r\n');

    assert.ok(message?.kind === 'updown');
    assert.equal(message.direction, 'UP');
    assert.equal(message.env.get('dev'), 'tun0');
  });

  it('refuses CIDs that no daemon gives', () => {
    const kinds = ['-1', '01', '18446744073709551616', '', '1e3'].map((cid) =>
      decode(`>CLIENT:ADDRESS,${cid},10.8.0.2,1\r\n`).map(({ kind }: Message) => kind),
    );

    assert.deepEqual(kinds, [['unknown'], ['unknown'], ['unknown'], ['unknown'], ['unknown']]);
  });
});
