import assert from 'node:assert/strict';
import { ManagementClient, relayed } from 'openvpn-management-client';
import { FakeManagementServer } from 'openvpn-management-client/testing';

/** A client that keeps what it passes on, in order. */
async function connected(fake: FakeManagementServer, text: string[]): Promise<ManagementClient> {
  const client = new ManagementClient({
    endpoint: fake.endpoint,
    commandTimeoutMs: 200,
    onNotificationBytes: (bytes) => text.push(bytes.toString('latin1')),
  });
  void client.run();
  await client.ready();
  return client;
}

async function relay(client: ManagementClient, command: string, text: string[]): Promise<void> {
  await client.execute(
    relayed({
      label: command,
      name: command.split(' ', 1)[0] ?? '',
      bytes: Buffer.from(`${command}\n`, 'latin1'),
      onLine: (line) => text.push(line.toString('latin1')),
    }),
  );
}

describe('a management client that passes on', () => {
  for (const pieceBytes of [undefined, 1, 2, 7]) {
    it(`keeps bytes and their order, cut into pieces of ${pieceBytes ?? 'any'} bytes`, async () => {
      await using fake = await FakeManagementServer.listen({
        isHeld: true,
        ...(pieceBytes === undefined ? {} : { pieceBytes }),
      });
      const passed: string[] = [];
      await using client = await connected(fake, passed);
      const mixed = [
        '>LOG:1,I,caf\u00c3\u00a9 \u00ff, and a bare\nline end',
        'a row',
        '',
        '>STATE:1,CONNECTED,SUCCESS,10.8.0.1,,,,',
        '>LATER:kind',
        'SUCCESS: pid=9',
        'END',
        'ERROR: no',
      ];
      fake.on('odd', () => mixed);

      await relay(client, 'odd command', passed);
      await relay(client, 'load-stats', passed);
      await relay(client, 'pid', passed);

      assert.equal(
        passed.join(''),
        [
          '>HOLD:Waiting for hold release:0',
          ...mixed,
          'SUCCESS: nclients=0,bytesin=3160,bytesout=3196',
          'SUCCESS: pid=1000',
          '',
        ].join('\r\n'),
      );
      assert.deepEqual(fake.commands.slice(-6), [
        'odd command',
        'load-stats',
        'load-stats',
        'pid',
        'pid',
        'load-stats',
      ]);
    });
  }

  it('knows that a command without a reply has none', async () => {
    await using fake = await FakeManagementServer.listen();
    const text: string[] = [];
    await using client = await connected(fake, []);

    await relay(client, 'version 3', text);

    assert.deepEqual(text, []);
  });

  it('gives a command up that is not answered, and the next gets its own reply', async () => {
    await using fake = await FakeManagementServer.listen();
    await using client = await connected(fake, []);
    const text: string[] = [];
    const hanging = fake.hang('load-stats');

    await assert.rejects(relay(client, 'version 3', text), /command "version 3": no whole reply within 200 ms/);
    hanging[Symbol.dispose]();
    await relay(client, 'pid', text);

    assert.deepEqual(fake.commands.slice(-6), ['version 3', 'load-stats', 'END', 'pid', 'pid', 'load-stats']);
    assert.deepEqual(text, ['SUCCESS: pid=1000\r\n']);
    assert.equal(client.phase, 'ready');
  });

  it('decodes what it passes on as it does otherwise', async () => {
    await using fake = await FakeManagementServer.listen({ pieceBytes: 3 });
    await using client = await connected(fake, []);
    const kinds: string[] = [];
    client.onMessage(({ kind }) => kinds.push(kind));

    await fake.connectClient();
    const { clients } = await client.status();

    assert.equal(clients.length, 1);
    assert.deepEqual(kinds, ['client:connect', 'client:address', 'client:address', 'client:established']);
  });
});
