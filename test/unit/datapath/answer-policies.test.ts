import assert from 'node:assert/strict';
import { formatConfiguredAnswer, parseConfiguredAnswer } from '../../../sidecar/config/places.js';
import { AnswerPolicies, withAnswer } from '../../../sidecar/datapath/answer-policies.js';

const A = '02:00:00:00:00:0a';
const B = '02:00:00:00:00:0b';
const GROUP4 = '00:00:5e:00:01:33';
const GROUP6 = '00:00:5e:00:02:33';

function policies(...entries: readonly string[]): AnswerPolicies {
  return new AnswerPolicies(
    entries.map((entry) => {
      const answer = parseConfiguredAnswer(entry);
      if (answer === undefined) throw new Error(`${entry} is no entry`);
      return answer;
    }),
  );
}

const nobody = (): null => null;
const gateway = { id: 1, device: 'lan0', mac: A, sources: [A] };

describe('AnswerPolicies', () => {
  it('reads entries and writes them, and refuses others', () => {
    for (const entry of [
      'lan0 source',
      'lan0 pin from 02:00:00:00:00:0a',
      'lan0 virtual 192.0.2.1 2001:db8::1',
      'lan0 resolved 192.0.2.1 from 192.0.2.2 192.0.2.3',
    ]) {
      const answer = parseConfiguredAnswer(entry);
      assert.equal(answer === undefined ? null : formatConfiguredAnswer(answer), entry);
    }
    for (const entry of [
      'lan0',
      'lan0 forbid',
      'lan0 virtual',
      'lan0 virtual 192.0.2.1 192.0.2.2',
      'lan0 resolved 192.0.2.0/24',
      'lan0 pin 192.0.2.1',
      'lan0 pin from',
      'lan0 pin from nobody',
    ])
      assert.equal(parseConfiguredAnswer(entry), undefined, entry);
  });

  it('sends to the group that has the address, in each family, and not to a member that asks with it', () => {
    const answers = policies('lan0 virtual 192.0.2.1 2001:db8::1');
    assert.deepEqual(withAnswer(gateway, answers.of('lan0', A, nobody)), gateway, 'it is not known yet');

    assert.equal(answers.take({ device: 'lan0', address: '192.0.2.1', mac: GROUP4 }), true);
    assert.deepEqual(withAnswer(gateway, answers.of('lan0', A, nobody)), { ...gateway, mac: GROUP4, mac6: A });
    assert.equal(answers.take({ device: 'lan0', address: '192.0.2.1', mac: B }), false);
    assert.equal(answers.take({ device: 'lan1', address: '192.0.2.1', mac: GROUP4 }), false);
    answers.take({ device: 'lan0', address: '2001:db8::1', mac: GROUP6 });
    assert.deepEqual(withAnswer(gateway, answers.of('lan0', A, nobody)), { ...gateway, mac: GROUP4, mac6: GROUP6 });
    assert.deepEqual(withAnswer({ ...gateway, isOrdered: true }, answers.of('lan0', A, nobody)).mac, A);
  });

  it('follows the address wherever it is, for the gateways that the first entry means', () => {
    const answers = policies(`lan0 source from ${B}`, 'lan0 resolved 192.0.2.1 from 192.0.2.2');
    answers.take({ device: 'lan0', address: '192.0.2.1', mac: B });
    const macOf = (address: string): string | null => (address === '192.0.2.2' ? A : null);

    assert.equal(answers.of('lan0', A, macOf)?.mac4, B);
    assert.equal(answers.of('lan0', B, macOf), null);
    assert.equal(answers.of('lan0', '02:00:00:00:00:0c', macOf), null);
    assert.equal(answers.take({ device: 'lan0', address: '192.0.2.1', mac: null }), false, 'it keeps what it knew');
    assert.equal(answers.of('lan0', A, macOf)?.mac4, B);
  });
});
