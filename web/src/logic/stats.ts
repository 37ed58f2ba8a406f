// Turns two readings of the browser's WebRTC statistics into the few numbers that people understand.

export interface StreamStats {
  key: string;
  trackId: string;
  direction: 'in' | 'out';
  kind: 'audio' | 'video';
  layer: string;
  codec: string;
  bitrateBps: number;
  framesPerSecond: number;
  width: number;
  height: number;
  /** Share of packets lost since the last reading, 0 to 1; -1 where the browser does not know. */
  loss: number;
  jitterMs: number;
  rttMs: number;
}

export interface LinkStats {
  rttMs: number;
  sentBps: number;
  receivedBps: number;
  protocol: string;
  streams: StreamStats[];
}

type Entry = Record<string, unknown> & { id: string; type: string; timestamp: number };

export type Reading = Map<string, Entry>;

const num = (e: Entry | undefined, key: string): number => (typeof e?.[key] === 'number' ? (e[key] as number) : 0);
const str = (e: Entry | undefined, key: string): string => (typeof e?.[key] === 'string' ? (e[key] as string) : '');

function rate(now: Entry, before: Entry | undefined, key: string): number {
  if (!before) return 0;
  const seconds = (now.timestamp - before.timestamp) / 1000;
  const difference = num(now, key) - num(before, key);
  return seconds > 0 && difference > 0 ? difference / seconds : 0;
}

/** Browsers probe for bandwidth by sending old packets again, and count them; the picture's own rate is without. */
function freshRate(now: Entry, before: Entry | undefined): number {
  return Math.max(0, rate(now, before, 'bytesSent') - rate(now, before, 'retransmittedBytesSent'));
}

/** Counts of one peer connection; `before` is the previous reading of the same one. */
export function linkStats(now: Reading, before: Reading): LinkStats {
  const out: LinkStats = { rttMs: -1, sentBps: 0, receivedBps: 0, protocol: '', streams: [] };
  for (const e of now.values()) {
    if (e.type === 'candidate-pair' && (e['nominated'] === true || e['selected'] === true) && e['state'] === 'succeeded') {
      if (typeof e['currentRoundTripTime'] === 'number') out.rttMs = (e['currentRoundTripTime'] as number) * 1000;
      out.protocol = str(now.get(str(e, 'localCandidateId')), 'protocol') || out.protocol;
      out.sentBps += rate(e, before.get(e.id), 'bytesSent') * 8;
      out.receivedBps += rate(e, before.get(e.id), 'bytesReceived') * 8;
    }
    if (e.type !== 'inbound-rtp' && e.type !== 'outbound-rtp') continue;
    const kind = str(e, 'kind');
    if (kind !== 'audio' && kind !== 'video') continue;
    const incoming = e.type === 'inbound-rtp';
    const previous = before.get(e.id);
    const remote = now.get(str(e, 'remoteId'));
    const source = now.get(str(e, 'mediaSourceId'));
    let loss = -1;
    let rttMs = out.rttMs;
    if (incoming) {
      const lost = Math.max(0, num(e, 'packetsLost') - num(previous, 'packetsLost'));
      const got = Math.max(0, num(e, 'packetsReceived') - num(previous, 'packetsReceived'));
      loss = previous && lost + got > 0 ? lost / (lost + got) : previous ? 0 : -1;
    } else if (remote) {
      if (typeof remote['fractionLost'] === 'number') loss = remote['fractionLost'] as number;
      if (typeof remote['roundTripTime'] === 'number') rttMs = (remote['roundTripTime'] as number) * 1000;
    }
    out.streams.push({
      key: e.id,
      trackId: incoming ? str(e, 'trackIdentifier') : str(source, 'trackIdentifier'),
      direction: incoming ? 'in' : 'out',
      kind,
      layer: str(e, 'rid'),
      codec: str(now.get(str(e, 'codecId')), 'mimeType').replace(/^\w+\//, ''),
      bitrateBps: incoming ? rate(e, previous, 'bytesReceived') * 8 : freshRate(e, previous) * 8,
      framesPerSecond: num(e, 'framesPerSecond'),
      width: num(e, 'frameWidth'),
      height: num(e, 'frameHeight'),
      loss,
      jitterMs: num(e, 'jitter') * 1000,
      rttMs,
    });
  }
  return out;
}

/** 0 unknown, 1 poor, 2 fair, 3 good, 4 excellent: also the number of bars that are shown. */
export type Quality = 0 | 1 | 2 | 3 | 4;

/** The limits are those of the client library, so that both ends show the same marks. */
export function qualityOf(loss: number, rttMs: number): Quality {
  if (loss < 0 && rttMs < 0) return 0;
  if (loss > 0.15 || rttMs > 400) return 1;
  if (loss > 0.08 || rttMs > 200) return 2;
  if (loss > 0.01 || rttMs > 100) return 3;
  return 4;
}

export function qualityFromGrade(grade: string): Quality {
  switch (grade) {
    case 'POOR': return 1;
    case 'FAIR': return 2;
    case 'GOOD': return 3;
    case 'EXCELLENT': return 4;
    default: return 0;
  }
}

export const worst = (a: Quality, b: Quality): Quality => (a === 0 ? b : b === 0 ? a : a < b ? a : b);

export function formatBitrate(bps: number): string {
  if (bps >= 1_000_000) return `${(bps / 1_000_000).toFixed(bps >= 10_000_000 ? 0 : 1)} Mb/s`;
  return `${Math.round(bps / 1000)} kb/s`;
}

export const formatPercent = (share: number): string =>
  share < 0 ? '–' : `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;

export const formatMs = (ms: number): string => (ms < 0 ? '–' : `${Math.round(ms)} ms`);

export function formatDuration(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000));
  const two = (n: number) => String(n).padStart(2, '0');
  const h = Math.floor(s / 3600);
  return h > 0 ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${two(Math.floor(s / 60))}:${two(s % 60)}`;
}
