// The life of one stay in a room as the page shows it. The client library reconnects its socket by itself a few
// times; after that, or after a restart of the server, the page joins again with a fresh token.

import { remedyFor, type Problem } from './errors';

export type Phase =
  | { kind: 'joining' }
  | { kind: 'live'; restored: boolean }
  | { kind: 'reconnecting' }
  | { kind: 'rejoining'; attempt: number }
  | { kind: 'ended'; problem: Problem | null };

export type LinkEvent =
  | { kind: 'connected' }
  | { kind: 'reconnecting' }
  | { kind: 'reconnected' }
  | { kind: 'lost'; problem: Problem }
  | { kind: 'left' }
  | { kind: 'restored-shown' };

export const kMaxRejoinAttempts = 12;
const kFirstRejoinDelayMs = 1000;
const kMaxRejoinDelayMs = 10_000;

/** How long to wait before joining again for the `attempt`-th time (from 1). */
export function rejoinDelayMs(attempt: number): number {
  return Math.min(kMaxRejoinDelayMs, kFirstRejoinDelayMs * 2 ** (attempt - 1));
}

export function nextPhase(phase: Phase, event: LinkEvent): Phase {
  if (phase.kind === 'ended') return phase;
  switch (event.kind) {
    case 'left':
      return { kind: 'ended', problem: null };
    case 'connected':
      return { kind: 'live', restored: phase.kind === 'rejoining' || phase.kind === 'reconnecting' };
    case 'reconnected':
      return { kind: 'live', restored: true };
    case 'restored-shown':
      return phase.kind === 'live' ? { kind: 'live', restored: false } : phase;
    case 'reconnecting':
      return phase.kind === 'rejoining' ? phase : { kind: 'reconnecting' };
    case 'lost': {
      // The first join tells its reason at once; only a call that was up is worth coming back to.
      if (phase.kind === 'joining') return { kind: 'ended', problem: event.problem };
      const attempt = phase.kind === 'rejoining' ? phase.attempt + 1 : 1;
      // While the server comes back, "unreachable" is what every attempt says.
      const mayReturn = remedyFor(event.problem) === 'auto' || (phase.kind === 'rejoining' && event.problem === 'unreachable');
      if (!mayReturn || attempt > kMaxRejoinAttempts) return { kind: 'ended', problem: event.problem };
      return { kind: 'rejoining', attempt };
    }
  }
}
