// Rows of usage as columns of charts and as a total.
import type { Schema } from '../api/client';

export type Row = Schema['UsageRow'];
export const tiers = ['sd', 'hd', 'fhd', 'uhd'] as const;
export const jobKinds = ['merge', 'forward', 'record'] as const;

export interface Totals {
  audioMinutes: number;
  videoMinutes: number;
  jobMinutes: number;
  bytesIn: number;
  bytesOut: number;
  peakUsers: number;
}

export function totals(rows: readonly Row[]): Totals {
  const sum: Totals = { audioMinutes: 0, videoMinutes: 0, jobMinutes: 0, bytesIn: 0, bytesOut: 0, peakUsers: 0 };
  for (const row of rows) {
    sum.audioMinutes += row.audioMinutes;
    for (const tier of tiers) sum.videoMinutes += row.videoMinutes[tier];
    for (const kind of jobKinds) sum.jobMinutes += row.jobMinutes[kind];
    sum.bytesIn += row.bytesIn;
    sum.bytesOut += row.bytesOut;
    sum.peakUsers = Math.max(sum.peakUsers, row.peakUsers ?? 0);
  }
  return sum;
}

/** Hours or days without a row were without use: they are shown as zero, up to `kMaxSteps`. */
export function steps(rows: readonly Row[], g: 'hour' | 'day', fromMs: number, toMs: number): { x: number[]; rows: (Row | undefined)[] } {
  const kMaxSteps = 1000;
  const stepMs = g === 'hour' ? 3_600_000 : 86_400_000;
  const byTime = new Map(rows.map((r) => [Date.parse(r.at), r]));
  const x: number[] = [];
  for (let at = Math.floor(fromMs / stepMs) * stepMs; at < toMs && x.length < kMaxSteps; at += stepMs) x.push(at);
  return { x: x.map((at) => at / 1000), rows: x.map((at) => byTime.get(at)) };
}
