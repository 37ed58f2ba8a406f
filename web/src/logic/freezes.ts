// How often and how long pictures stood still, for the server's history of quality: in the form in which the client library
// reports it. The library itself finds nothing in current browsers, which lost the statistics that it looks at.
import type { Reading } from './stats';

export const kFreezeReportMs = 10_000;
/** As the library numbers its events. */
const kVideoPlayQuality = 53;

export interface PlayQuality {
  timestamp: number;
  event_id: number;
  event_name: 'VideoPlayQuality';
  track_id: string;
  freeze_duration: number;
  total_duration: number;
  freeze_count: number;
}

interface Stop {
  count: number;
  ms: number;
}

export class FreezeMeter {
  private readonly stops = new Map<string, Stop>();
  private since: number;

  constructor(nowMs: number) {
    this.since = nowMs;
  }

  /** Two readings of one connection that follow each other. */
  add(now: Reading, before: Reading): void {
    for (const e of now.values()) {
      if (e.type !== 'inbound-rtp' || e['kind'] !== 'video') continue;
      const previous = before.get(e.id);
      const count = grown(e['freezeCount'], previous?.['freezeCount']);
      const ms = Math.round(grown(e['totalFreezesDuration'], previous?.['totalFreezesDuration']) * 1000);
      if (count <= 0 || ms <= 0) continue;
      const track = typeof e['trackIdentifier'] === 'string' ? e['trackIdentifier'] : e.id;
      const known = this.stops.get(track) ?? { count: 0, ms: 0 };
      this.stops.set(track, { count: known.count + count, ms: known.ms + ms });
    }
  }

  /** What was added since the last call, when that was long enough ago; null: nothing to report. */
  take(nowMs: number): PlayQuality[] | null {
    const spanMs = nowMs - this.since;
    if (spanMs < kFreezeReportMs) return null;
    this.since = nowMs;
    const out = [...this.stops].map(([track_id, stop]): PlayQuality => ({
      timestamp: nowMs,
      event_id: kVideoPlayQuality,
      event_name: 'VideoPlayQuality',
      track_id,
      freeze_duration: stop.ms,
      // A freeze counts when it ends, and may be longer than the time between two reports.
      total_duration: Math.max(spanMs, stop.ms),
      freeze_count: stop.count,
    }));
    this.stops.clear();
    return out.length > 0 ? out : null;
  }
}

function grown(now: unknown, before: unknown): number {
  if (typeof now !== 'number') return 0;
  return Math.max(0, now - (typeof before === 'number' ? before : 0));
}
