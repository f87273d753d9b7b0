import assert from 'node:assert/strict';

import type { Frame } from '../lab/frame.js';
import type { FlowSummary } from '../lab/traffic.js';
import { MAC } from '../lab/topology.js';

/** Milliseconds of a failover, read from the frames on the endpoint's cable. */
export interface FailoverTimes {
  /** From the last frame of the old MAC to the first of the new one: the routers' own switch-over. */
  readonly routersMs: number;
  /** From the first frame of the new MAC to the first answer to it: ours. */
  readonly oursMs: number;
  /** Answers that still went to the old MAC after the new one had spoken. */
  readonly misdirected: number;
}

/**
 * Times the move of one flow from a router's old MAC to its new one.
 *
 * @param isOwn whether a frame belongs to the flow, in either direction
 */
export function failoverTimes(
  frames: readonly Frame[],
  isOwn: (frame: Frame) => boolean,
  oldMac: string,
  newMac: string,
): FailoverTimes {
  const own = frames.filter(isOwn);
  const firstNew = own.find((frame) => frame.sourceMac === newMac);
  assert.ok(firstNew, `a frame of the flow came from ${newMac}`);
  const lastOld = own.findLast((frame) => frame.sourceMac === oldMac && frame.timeSeconds <= firstNew.timeSeconds);
  assert.ok(lastOld, `a frame of the flow came from ${oldMac}`);
  const answers = own.filter((frame) => frame.sourceMac === MAC.endpoint && frame.timeSeconds >= firstNew.timeSeconds);
  const firstAnswer = answers.find((frame) => frame.destinationMac === newMac);
  assert.ok(firstAnswer, `an answer of the flow went to ${newMac}`);
  return {
    routersMs: millisecondsBetween(lastOld, firstNew),
    oursMs: millisecondsBetween(firstNew, firstAnswer),
    misdirected: answers.filter((frame) => frame.destinationMac === oldMac).length,
  };
}

function millisecondsBetween(from: Frame, to: Frame): number {
  return Math.round((to.timeSeconds - from.timeSeconds) * 1e4) / 10;
}

/** One line for the log of a test run. */
export function describeFailover(what: string, times: FailoverTimes, flow: FlowSummary): string {
  return `${what}: routers ${times.routersMs} ms, ours ${times.oursMs} ms (${times.misdirected} answers to the old MAC), longest gap in the flow ${flow.maxGapMs} ms, ${flow.lost} of ${flow.sent} records lost`;
}
