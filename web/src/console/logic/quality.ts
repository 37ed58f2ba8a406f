// "Why was it bad at 10:42?": from points of quality and events to moments that a person would complain about.
import type { Schema } from '../api/client';

export type History = Schema['QualityHistory'];
export type Point = Schema['Quality'];
export type RoomEvent = Schema['Event'];

export const kBadLossPercent = 5;
export const kBadRttMs = 400;
export const kMaxPointsApart = 3;

export interface BadMoment {
  userId: string;
  fromMs: number;
  toMs: number;
  lossPercent: number;
  rttMs: number;
  freezeMs: number;
  /** What happened from shortly before until it ended. */
  events: RoomEvent[];
}

export const lossOf = (p: Point): number | null => worse(p.upLossPercent, p.downLossPercent);
export const kbpsOf = (p: Point): number | null => (p.upKbps === undefined && p.downKbps === undefined ? null : (p.upKbps ?? 0) + (p.downKbps ?? 0));

function worse(a: number | undefined, b: number | undefined): number | null {
  if (a === undefined) return b ?? null;
  return b === undefined ? a : Math.max(a, b);
}

export const isBad = (p: Point): boolean => (lossOf(p) ?? 0) >= kBadLossPercent || (p.rttMs ?? 0) >= kBadRttMs || (p.freezes ?? 0) > 0 || (p.freezeMs ?? 0) > 0;

/** Bad points of one member that follow each other are one moment. Sorted by time. */
export function badMoments({ grainS, members, events }: History): BadMoment[] {
  const grainMs = grainS * 1000;
  const out: BadMoment[] = [];
  for (const { userId, points } of members) {
    let open: BadMoment | null = null;
    for (const point of points.filter(isBad)) {
      const atMs = Date.parse(point.at);
      if (!open || atMs - grainMs > open.toMs) {
        open = { userId, fromMs: atMs - grainMs, toMs: atMs, lossPercent: 0, rttMs: 0, freezeMs: 0, events: [] };
        out.push(open);
      }
      open.toMs = atMs;
      open.lossPercent = Math.max(open.lossPercent, lossOf(point) ?? 0);
      open.rttMs = Math.max(open.rttMs, point.rttMs ?? 0);
      open.freezeMs += point.freezeMs ?? 0;
    }
  }
  for (const moment of out) moment.events = events.filter((e) => e.ts >= moment.fromMs - grainMs && e.ts <= moment.toMs);
  return out.sort((a, b) => a.fromMs - b.fromMs || a.userId.localeCompare(b.userId));
}

export type Column = (number | null | undefined)[];

/**
 * Seconds and one column for each series, as the charts take them: undefined where another member has a point (the line goes
 * on), null where this one was silent for long (the line breaks).
 */
export function columns(series: readonly { points: readonly Point[]; value: (p: Point) => number | null | undefined }[], grainS: number): { x: number[]; ys: Column[] } {
  const maps = series.map(({ points, value }) => new Map(points.map((p) => [Math.round(Date.parse(p.at) / 1000), value(p)])));
  const times = new Set<number>();
  for (const map of maps) for (const at of map.keys()) times.add(at);
  // Where everybody was silent there is no second that could carry the break.
  const x: number[] = [];
  for (const at of [...times].sort((a, b) => a - b)) {
    const last = x[x.length - 1];
    if (last !== undefined && at - last > kMaxPointsApart * grainS) x.push(last + grainS);
    x.push(at);
  }
  return { x, ys: maps.map((map) => column(x, map, kMaxPointsApart * grainS)) };
}

function column(x: readonly number[], values: ReadonlyMap<number, number | null | undefined>, maxGapS: number): Column {
  const out: Column = x.map((at) => values.get(at) ?? undefined);
  let last = -1;
  for (let i = 0; i <= out.length; i++) {
    if (i < out.length && out[i] === undefined) continue;
    const silentS = last < 0 || i === out.length ? Infinity : x[i]! - x[last]!;
    if (silentS > maxGapS) out.fill(null, last + 1, i);
    last = i;
  }
  return out;
}

/** How serious an event looks on the line. */
export function toneOf({ event, data }: { event: string; data?: unknown }): 'good' | 'bad' | 'plain' {
  if (event === 'quality_alarm') return (data as Record<string, unknown> | undefined)?.['state'] === 'good' ? 'good' : 'bad';
  if (/left|closed|failed|kicked|unpublished/.test(event)) return 'bad';
  if (/joined|reconnected|created|published|started|ready/.test(event)) return 'good';
  return 'plain';
}
