import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';

import type { Measured } from '../sidecar/live/measure.js';
import type { FlowPage } from '../sidecar/web/flow-page.js';
import type { Happening } from './events.js';
import { age } from './format.js';
import { Doctor, EventList, TokenForm, TracePanel } from './panels.js';
import { Picture } from './picture.js';
import { askJson } from './remote.js';
import { ClientTable, FlowTable, GatewayTable, type ListedFlow } from './tables.js';
import { useLive } from './use-live.js';

const TABS = ['clients', 'gateways', 'flows', 'events', 'doctor'] as const;
type Tab = (typeof TABS)[number];

/** How often flows are read while the page is seen; the kernel has no events for what they count. */
const FLOWS_MS = 3000;
/** How long a gateway that moved stands out. */
const FRESH_MS = 15_000;
const NO_FLOWS: FlowPage = { flows: [], pairs: [], isTruncated: false };

/** The whole page. */
export function App(): VNode {
  const [attempt, setAttempt] = useState(0);
  const [tab, setTab] = useState<Tab>('clients');
  const [search, setSearch] = useState('');
  const [traced, setTraced] = useState<ListedFlow | null>(null);
  const { measured, fault, isDenied, happenings } = useLive(attempt);
  const flows = useFlows(measured !== null && fault === null);
  if (isDenied)
    return (
      <main>
        <TokenForm onToken={() => setAttempt(attempt + 1)} />
      </main>
    );
  if (measured === null)
    return (
      <main>
        <p class={fault === null ? 'soft' : 'bad'}>{fault ?? 'connecting…'}</p>
      </main>
    );
  const { problems } = measured.document;
  return (
    <main>
      <Header measured={measured} fault={fault} />
      {fault !== null && (
        <section class="card banner bad" role="alert">
          {fault}. Shown is what was {age(measured.atMs, Date.now())} ago.
        </section>
      )}
      {problems.length > 0 && (
        <section class="card banner" role="alert">
          <ul class="plain">
            {problems.map((problem) => (
              <li key={problem} class="bad">
                {problem}
              </li>
            ))}
          </ul>
        </section>
      )}
      <Picture measured={measured} pairs={flows.page.pairs} fresh={freshOf(happenings, measured.atMs)} />
      <section class="card">
        <nav>
          {TABS.map((name) => (
            <button key={name} type="button" aria-pressed={name === tab} onClick={() => setTab(name)}>
              {name}
              {name === 'events' && happenings.length > 0 ? ` ${happenings.length}` : ''}
            </button>
          ))}
          {(tab === 'clients' || tab === 'gateways' || tab === 'flows') && (
            <input
              type="search"
              placeholder="search"
              aria-label="search"
              value={search}
              onInput={(event) => setSearch(event.currentTarget.value)}
            />
          )}
        </nav>
        {traced !== null && tab === 'flows' && <TracePanel flow={traced} onClose={() => setTraced(null)} />}
        {tab === 'clients' && <ClientTable measured={measured} search={search} />}
        {tab === 'gateways' && <GatewayTable measured={measured} search={search} />}
        {tab === 'flows' &&
          (flows.fault === null ? (
            <FlowTable page={flows.page} measured={measured} search={search} onChoose={setTraced} />
          ) : (
            <p class="bad">{flows.fault}</p>
          ))}
        {tab === 'events' && <EventList happenings={happenings} />}
        {tab === 'doctor' && <Doctor />}
      </section>
    </main>
  );
}

function Header({ measured, fault }: { readonly measured: Measured; readonly fault: string | null }): VNode {
  const { document, atMs } = measured;
  const { ready, version, datapath, firewall, clients, gateways, uplink, startedAt } = document;
  const { sources = [], peers = [] } = document;
  return (
    <header>
      <h1>gwmark {version}</h1>
      <strong class={fault !== null || !ready ? 'bad' : 'good'}>
        {fault !== null ? 'no answer' : ready ? 'ready' : 'not ready'}
      </strong>
      <span>{clients.length.toLocaleString('en')} clients</span>
      {sources.length > 0 && <span>{peers.filter(({ isConnected }) => isConnected).length} peers</span>}
      <span>{gateways.length} gateways</span>
      <span class="soft">{uplink === null ? 'no uplink' : `uplink ${uplink}`}</span>
      <span class="soft">
        {datapath}, {firewall}, for {age(Date.parse(startedAt), atMs)}
      </span>
    </header>
  );
}

/** The kernel's flows, while the page is seen and the sidecar answers. */
function useFlows(isWanted: boolean): { readonly page: FlowPage; readonly fault: string | null } {
  const [flows, setFlows] = useState<{ readonly page: FlowPage; readonly fault: string | null }>({
    page: NO_FLOWS,
    fault: null,
  });
  useEffect(() => {
    if (!isWanted) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isCurrent = true;
    const look = async (): Promise<void> => {
      if (!document.hidden) {
        try {
          const page = await askJson<FlowPage>('/flows');
          if (isCurrent) setFlows({ page, fault: null });
        } catch (error) {
          if (isCurrent) setFlows({ page: NO_FLOWS, fault: error instanceof Error ? error.message : String(error) });
        }
      }
      if (isCurrent) timer = setTimeout(() => void look(), FLOWS_MS);
    };
    void look();
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [isWanted]);
  return flows;
}

function freshOf(happenings: readonly Happening[], nowMs: number): ReadonlySet<number> {
  return new Set(
    happenings.flatMap(({ gateway, atMs }) => (gateway === undefined || nowMs - atMs > FRESH_MS ? [] : [gateway])),
  );
}
