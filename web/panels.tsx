import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';

import type { Finding } from '../sidecar/doctor/finding.js';
import type { Trace } from '../sidecar/trace/trace.js';
import type { Happening } from './events.js';
import { askJson, keepToken } from './remote.js';
import type { ListedFlow } from './tables.js';

/** What happened since the page was opened, the latest first. */
export function EventList({ happenings }: { readonly happenings: readonly Happening[] }): VNode {
  if (happenings.length === 0) return <p class="soft">nothing has happened since this page was opened</p>;
  return (
    <ul class="plain" aria-live="polite">
      {happenings.map(({ atMs, kind, text }, index) => (
        <li key={happenings.length - index}>
          <span class="soft">{new Date(atMs).toLocaleTimeString()}</span> <span class={kind}>{text}</span>
        </li>
      ))}
    </ul>
  );
}

interface Answer<Body> {
  readonly body: Body | null;
  readonly fault: string | null;
}

/** What the server answers to a question, while it works, and why it does not. */
function useAnswer<Body>(path: string): Answer<Body> {
  const [answer, setAnswer] = useState<Answer<Body>>({ body: null, fault: null });
  useEffect(() => {
    let isCurrent = true;
    setAnswer({ body: null, fault: null });
    askJson<Body>(path).then(
      (body) => isCurrent && setAnswer({ body, fault: null }),
      (error: unknown) =>
        isCurrent && setAnswer({ body: null, fault: error instanceof Error ? error.message : String(error) }),
    );
    return () => {
      isCurrent = false;
    };
  }, [path]);
  return answer;
}

const SEVERITIES = ['ok', 'info', 'warn', 'error'];
const LOOKS: Readonly<Record<string, string>> = { ok: 'good', info: 'soft', warn: 'warn', error: 'bad' };

/** The findings of `gwmark doctor`, the worst first, with their fixes. */
export function Doctor(): VNode {
  const [run, setRun] = useState(0);
  const { body, fault } = useAnswer<readonly Finding[]>(`/doctor?${run}`);
  const findings = body?.toSorted((a, b) => SEVERITIES.indexOf(b.severity) - SEVERITIES.indexOf(a.severity));
  return (
    <>
      <p>
        <button type="button" onClick={() => setRun(run + 1)}>
          check again
        </button>
      </p>
      {fault !== null && <p class="bad">{fault}</p>}
      {findings === undefined && fault === null && <p class="soft">checking…</p>}
      <ul class="plain">
        {findings?.map(({ severity, subject, found, expected, remedy, check }, index) => (
          <li key={`${check} ${index}`}>
            <strong class={LOOKS[severity] ?? ''}>{severity}</strong> {subject}: {found}
            {severity !== 'ok' && <span class="soft"> (expected: {expected})</span>}
            {remedy !== null && <div>fix: {remedy}</div>}
          </li>
        ))}
      </ul>
    </>
  );
}

/** Explains where the replies of a flow go, as `gwmark trace` does. */
export function TracePanel({ flow, onClose }: { readonly flow: ListedFlow; readonly onClose: () => void }): VNode {
  const { original, protocol } = flow;
  const query = new URLSearchParams({ source: original.source, destination: original.destination });
  const named = protocol === 'icmpv6' ? 'icmp' : protocol;
  if (['udp', 'tcp', 'icmp'].includes(named)) query.set('protocol', named);
  if (original.sourcePort !== null && named !== 'icmp') query.set('sourcePort', String(original.sourcePort));
  if (original.destinationPort !== null && named !== 'icmp')
    query.set('destinationPort', String(original.destinationPort));
  const { body, fault } = useAnswer<Trace>(`/trace?${query.toString()}`);
  return (
    <section class="card" data-trace>
      <p>
        <button type="button" onClick={onClose}>
          close
        </button>{' '}
        trace of {protocol} {original.source} → {original.destination}
      </p>
      {fault !== null && <p class="bad">{fault}</p>}
      {body === null && fault === null && <p class="soft">tracing…</p>}
      {body !== null && (
        <>
          <ul class="plain">
            {body.steps.map(({ step, ok, text, remedy }) => (
              <li key={step}>
                <strong class={ok ? 'good' : 'bad'}>{ok ? 'ok' : 'no'}</strong> {step}: {text}
                {remedy !== null && <div>fix: {remedy}</div>}
              </li>
            ))}
          </ul>
          <p>
            <strong>{body.sentence}</strong>
          </p>
          {body.instead !== null && <p>instead: {body.instead}</p>}
        </>
      )}
    </section>
  );
}

/** Asks for the token that the address did not have. */
export function TokenForm({ onToken }: { readonly onToken: () => void }): VNode {
  const [token, setToken] = useState('');
  return (
    <form
      class="card banner"
      onSubmit={(event) => {
        event.preventDefault();
        keepToken(token.trim());
        onToken();
      }}
    >
      <p>The token is missing or wrong. Open the address that "gwmark web" printed, or enter its token:</p>
      <nav>
        <input
          type="password"
          aria-label="token"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <button type="submit">show</button>
      </nav>
    </form>
  );
}
