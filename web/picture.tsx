import type { VNode } from 'preact';
import { useEffect, useState } from 'preact/hooks';

import type { Measured } from '../sidecar/live/measure.js';
import type { FlowPair } from '../sidecar/web/flow-page.js';
import { bothWays, briefly, total } from './format.js';
import { type Box, BOX_HEIGHT, type Topology, topologyOf } from './topology.js';

/** Where the columns are, in units of the picture. */
interface Geometry {
  readonly width: number;
  readonly box: number;
  readonly middle: number;
  readonly middleWidth: number;
  /** How many characters fit into a box. */
  readonly title: number;
  readonly detail: number;
}

const LEFT = 8;
const WIDE: Geometry = { width: 1000, box: 268, middle: 420, middleWidth: 160, title: 32, detail: 40 };
/** Of a phone: as many units as make letters of 11 pixels. */
const NARROW: Geometry = { width: 480, box: 160, middle: 206, middleWidth: 68, title: 18, detail: 22 };
const PHONE = '(max-width: 640px)';

export interface PictureProps {
  readonly measured: Measured;
  readonly pairs: readonly FlowPair[];
  /** Gateways that moved a moment ago. */
  readonly fresh: ReadonlySet<number>;
}

/** Routers on the left, the endpoint in the middle, clients on the right; lines are flows. */
export function Picture({ measured, pairs, fresh }: PictureProps): VNode {
  const topology = topologyOf(measured, pairs);
  const isNarrow = useMedia(PHONE);
  const geometry = isNarrow ? NARROW : WIDE;
  const { width, box: boxWidth, middle, middleWidth } = geometry;
  const right = width - boxWidth - LEFT;
  const { height, gateways, clients, lines } = topology;
  const boxes = new Map<string, Box>([
    ...gateways.map((box) => [`from ${box.key}`, box] as const),
    ...clients.map((box) => [`to ${box.key}`, box] as const),
  ]);
  return (
    <div class="card scroll">
      <svg
        class={`picture${isNarrow ? ' narrow' : ''}`}
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={describe(topology)}
      >
        {gateways.map((box) => (
          <path
            key={`link ${box.key}`}
            class={box.look}
            data-gateway-line={box.key}
            data-mac={box.title}
            stroke-width={widthOf(total(box.rate))}
            d={curve(LEFT + boxWidth, middleOf(box), middle, height / 2)}
          />
        ))}
        {clients.map((box) => (
          <path
            key={`tunnel ${box.key}`}
            class={total(box.rate) > 0 ? 'active' : 'known'}
            stroke-width={widthOf(total(box.rate))}
            d={curve(middle + middleWidth, height / 2, right, middleOf(box))}
          />
        ))}
        {lines.map(({ from, to, flows }) => {
          const [gateway, client] = [boxes.get(`from ${from}`), boxes.get(`to ${to}`)];
          if (gateway === undefined || client === undefined) return null;
          return (
            <path
              key={`flows ${from} ${to}`}
              class={gateway.look}
              data-flows-from={gateway.title}
              data-flows-to={client.title}
              stroke-width={1 + Math.log2(1 + flows) / 2}
              d={curve(LEFT + boxWidth, middleOf(gateway) + 8, right, middleOf(client) + 8)}
            >
              <title>{`${flows} flows between ${client.title} and ${gateway.title}`}</title>
            </path>
          );
        })}
        <Endpoint topology={topology} geometry={geometry} />
        {gateways.map((box) => (
          <BoxView key={box.key} {...{ box, geometry }} x={LEFT} isFresh={fresh.has(Number(box.key))} kind="gateway" />
        ))}
        {clients.map((box) => (
          <BoxView key={box.key} {...{ box, geometry }} x={right} isFresh={false} kind="client" />
        ))}
      </svg>
    </div>
  );
}

function Endpoint({ topology, geometry }: { readonly topology: Topology; readonly geometry: Geometry }): VNode {
  const { height, links, tunnels } = topology;
  const { middle, middleWidth } = geometry;
  const rows = Math.max(links.length, tunnels.length, 1);
  const tall = 44 + rows * 18;
  const y = (height - tall) / 2;
  return (
    <g class="endpoint">
      <rect x={middle} y={y} width={middleWidth} height={tall} rx="9" />
      <text class={geometry === NARROW ? 'small' : ''} x={middle + middleWidth / 2} y={y + 22} text-anchor="middle">
        endpoint
      </text>
      {links.map((device, row) => (
        <text key={device} class="small" x={middle + 6} y={y + 44 + row * 18}>
          {shortened(device, middleWidth / 16)}
        </text>
      ))}
      {tunnels.map((device, row) => (
        <text key={device} class="small" x={middle + middleWidth - 6} y={y + 44 + row * 18} text-anchor="end">
          {shortened(device, middleWidth / 16)}
        </text>
      ))}
    </g>
  );
}

interface BoxProps {
  readonly box: Box;
  readonly geometry: Geometry;
  readonly x: number;
  readonly isFresh: boolean;
  readonly kind: 'gateway' | 'client';
}

function BoxView({ box, geometry, x, isFresh, kind }: BoxProps): VNode {
  const rate = geometry === NARROW ? briefly(box.rate) : bothWays(box.rate);
  return (
    <g class={`${box.look}${isFresh ? ' fresh' : ''}`} {...{ [`data-${kind}`]: box.title }}>
      <rect x={x} y={box.y} width={geometry.box} height={BOX_HEIGHT} rx="8" />
      <text x={x + 10} y={box.y + 19}>
        {shortened(box.title, geometry.title)}
      </text>
      <text class="small" x={x + 10} y={box.y + 37}>
        {shortened(total(box.rate) > 0 ? rate : box.detail, geometry.detail)}
      </text>
      {box.note !== '' && geometry === WIDE && (
        <text class="small" x={x + geometry.box - 10} y={box.y + 19} text-anchor="end">
          {box.note}
        </text>
      )}
      <title>{`${box.title} ${box.note}\n${box.detail}\n${bothWays(box.rate)}`}</title>
    </g>
  );
}

/** Whether the window is as the media query says, also when it changes. */
function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const take = (): void => setMatches(list.matches);
    list.addEventListener('change', take);
    return () => list.removeEventListener('change', take);
  }, [query]);
  return matches;
}

function describe({ gateways, clients }: Topology): string {
  return `${gateways.length} gateways on the left, the endpoint, ${clients.length} clients on the right`;
}

function middleOf({ y }: Box): number {
  return y + BOX_HEIGHT / 2;
}

/** From 1.5 at rest to 12 at 100 MB/s: each step of ten is as wide. */
function widthOf(bytesPerSecond: number): number {
  return 1.5 + Math.min(10.5, Math.max(0, Math.log10(1 + bytesPerSecond) - 1) * 1.5);
}

function curve(x1: number, y1: number, x2: number, y2: number): string {
  const bend = (x2 - x1) / 2;
  return `M ${x1} ${y1} C ${x1 + bend} ${y1}, ${x2 - bend} ${y2}, ${x2} ${y2}`;
}

function shortened(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, Math.max(1, Math.floor(characters) - 1))}…`;
}
