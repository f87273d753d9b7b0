import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { decodeText, encodeText, Environment } from 'openvpn-management-client';

describe('Text of the wire', () => {
  it('decodes UTF-8', () => {
    assert.equal(decodeText(Buffer.from('Zoë \u{1f511}').toString('latin1')), 'Zoë \u{1f511}');
  });

  it('keeps a latin-1 name apart from the same name in UTF-8, and gives both their bytes back', () => {
    const latin1 = decodeText('Zo\u00eb');
    const utf8 = decodeText('Zo\u00c3\u00ab');

    assert.equal(latin1, 'Zo\udceb');
    assert.equal(utf8, 'Zoë');
    assert.equal(encodeText(latin1).toString('latin1'), 'Zo\u00eb');
  });

  it('gives any bytes back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        assert.deepEqual(encodeText(decodeText(Buffer.from(bytes).toString('latin1'))), Buffer.from(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  it('gives texts around invalid bytes back', () => {
    for (const bytes of [
      '\u00ed\u00a0\u0080',
      '\u00c0\u0080',
      '\u00f4\u0090\u0080\u0080',
      '\u00e2\u0082',
      'a\u00ffb\u00e2\u0082\u00ac',
    ]) {
      assert.equal(encodeText(decodeText(bytes)).toString('latin1'), bytes);
    }
  });

  it('refuses a lone surrogate that stands for no byte', () => {
    assert.throws(() => encodeText('\ud800'), /lone surrogate U\+D800/);
  });
});

describe('Environment', () => {
  it('has names like those of Object.prototype only where they were sent', () => {
    const env = Environment.from([
      ['__proto__', 'x'],
      ['a', 'b'],
    ]);

    assert.equal(env.get('__proto__'), 'x');
    assert.equal(env.get('constructor'), undefined);
    assert.equal(env.get('toString'), undefined);
  });

  it('does not find a name inside of a value', () => {
    const env = Environment.from([
      ['a', '>CLIENT:ENV,b=2'],
      ['cb', '3'],
    ]);

    assert.equal(env.get('b'), undefined);
    assert.equal(env.has('b'), false);
  });

  it('finds every variable by its name', () => {
    const name = fc.string({ minLength: 1, unit: fc.constantFrom('a', 'b', 'X', '_', '0') });
    const value = fc.string({ unit: fc.constantFrom('a', '=', ',', '>', 'é', '\u{1f511}', ' ', 'CLIENT:ENV,') });
    fc.assert(
      fc.property(fc.dictionary(name, value), (variables) => {
        const env = Environment.from(Object.entries(variables));

        assert.equal(env.size, Object.keys(variables).length);
        assert.deepEqual([...env], Object.entries(variables));
        for (const [key, expected] of Object.entries(variables)) assert.equal(env.get(key), expected);
      }),
    );
  });

  it('finds nothing for names that no variable can have', () => {
    const env = Environment.from([['a', 'b=c']]);

    assert.equal(env.get(''), undefined);
    assert.equal(env.get('a=b'), undefined);
    assert.equal(env.get('a\r\n'), undefined);
  });
});
