import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { commands, Environment, ManagementClient, Secret } from 'openvpn-management-client';
import { decode } from './decode.js';

const SECRET = 'hunter2';

/** Every text that a careless logger could make of a value. */
function shown(value: unknown): string {
  const json = JSON.stringify(value, (_, field: unknown) => (typeof field === 'bigint' ? String(field) : field));
  return [
    inspect(value, { depth: 10, showHidden: true }),
    json,
    String(value),
    inspect({ ...(typeof value === 'object' ? value : {}) }, { depth: 10 }),
  ].join('\n');
}

describe('Secrets', () => {
  it('stay out of a Secret', () => {
    assert.equal(shown(new Secret(SECRET)).includes(SECRET), false);
    assert.equal(String(new Secret(SECRET)), '***');
    assert.equal(new Secret(SECRET).reveal(), SECRET);
  });

  it('stay out of what events show', () => {
    const messages = decode(
      `>CLIENT:CONNECT,0,1\r\n>CLIENT:ENV,password=${SECRET}\r\n>CLIENT:ENV,session_id=${SECRET}\r\n>CLIENT:ENV,END\r\n` +
        `>CLIENT:CR_RESPONSE,0,1,${SECRET}\r\n>CLIENT:ENV,END\r\n>PASSWORD:Auth-Token:${SECRET}\r\n`,
    );

    assert.deepEqual(
      messages.map(({ kind }) => kind),
      ['client:connect', 'client:cr-response', 'password:auth-token'],
    );
    for (const message of messages) assert.equal(shown(message).includes(SECRET), false, message.kind);
  });

  it('are masked by get and iteration, and revealed by secret', () => {
    const env = Environment.from([
      ['password', SECRET],
      ['username', 'alice'],
    ]);

    assert.equal(env.get('password'), '***');
    assert.deepEqual(
      [...env],
      [
        ['password', '***'],
        ['username', 'alice'],
      ],
    );
    assert.equal(env.secret('password')?.reveal(), SECRET);
    assert.equal(env.secret('nothing'), undefined);
  });

  it('stay out of the label of the password command', () => {
    assert.equal(commands.password('Auth', new Secret(SECRET)).label, 'password "Auth" ***');
  });

  it('stay out of what a client shows of its options', () => {
    assert.equal(
      shown(new ManagementClient({ endpoint: 'unix:/nowhere', password: new Secret(SECRET) })).includes(SECRET),
      false,
    );
  });
});
