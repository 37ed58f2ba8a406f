import { describe, expect, it } from 'vitest';
import { formatBitrate, formatDuration, formatMs, formatPercent, linkStats, qualityFromGrade, qualityOf, worst, type Reading } from '../src/logic/stats';

const reading = (...entries: Record<string, unknown>[]): Reading =>
  new Map(entries.map((e) => [e['id'] as string, e as never]));

describe('statistics', () => {
  const at = (t: number, bytes: number, packets: number, lost: number) =>
    reading(
      { id: 'in', type: 'inbound-rtp', timestamp: t, kind: 'video', trackIdentifier: 'T', bytesReceived: bytes, packetsReceived: packets,
        packetsLost: lost, framesPerSecond: 15, frameWidth: 640, frameHeight: 360, codecId: 'c', jitter: 0.004 },
      { id: 'c', type: 'codec', timestamp: t, mimeType: 'video/H264' },
      { id: 'p', type: 'candidate-pair', timestamp: t, nominated: true, state: 'succeeded', currentRoundTripTime: 0.021, localCandidateId: 'l', bytesReceived: bytes, bytesSent: 0 },
      { id: 'l', type: 'local-candidate', timestamp: t, protocol: 'udp' },
    );

  it('turns two readings into rates', () => {
    const s = linkStats(at(3000, 300_000, 190, 10), at(1000, 100_000, 0, 0));
    expect(s.rttMs).toBeCloseTo(21);
    expect(s.protocol).toBe('udp');
    expect(s.receivedBps).toBe(800_000);
    expect(s.streams[0]).toMatchObject({ trackId: 'T', direction: 'in', bitrateBps: 800_000, loss: 0.05, codec: 'H264', width: 640, jitterMs: 4 });
  });

  it('survives a first reading and counters that fall', () => {
    expect(linkStats(at(1000, 5, 5, 0), new Map()).streams[0]).toMatchObject({ bitrateBps: 0, loss: -1 });
    expect(linkStats(at(2000, 5, 5, 0), at(1000, 50, 50, 9)).streams[0]).toMatchObject({ bitrateBps: 0, loss: 0 });
    expect(linkStats(new Map(), new Map()).streams).toEqual([]);
  });

  it('leaves out what is sent again, be it a repair or a probe', () => {
    const sent = (t: number, bytes: number, again: number) => reading({ id: 'o', type: 'outbound-rtp', timestamp: t, kind: 'video', bytesSent: bytes, retransmittedBytesSent: again });
    expect(linkStats(sent(2000, 125_000, 25_000), sent(1000, 0, 0)).streams[0]?.bitrateBps).toBe(800_000);
    expect(linkStats(sent(2000, 10, 20), sent(1000, 0, 0)).streams[0]?.bitrateBps).toBe(0);
  });

  it('reads what the other side reports about ours', () => {
    const now = reading(
      { id: 'o', type: 'outbound-rtp', timestamp: 2000, kind: 'video', rid: 'hi', bytesSent: 9, mediaSourceId: 's', remoteId: 'r' },
      { id: 's', type: 'media-source', timestamp: 2000, trackIdentifier: 'M' },
      { id: 'r', type: 'remote-inbound-rtp', timestamp: 2000, fractionLost: 0.25, roundTripTime: 0.5 },
    );
    expect(linkStats(now, new Map()).streams[0]).toMatchObject({ trackId: 'M', layer: 'hi', loss: 0.25, rttMs: 500, direction: 'out' });
  });

  it('grades as the client library does', () => {
    expect([qualityOf(-1, -1), qualityOf(0.16, 0), qualityOf(0, 401), qualityOf(0.09, 0), qualityOf(0.02, 0), qualityOf(0, 101), qualityOf(0, 20), qualityOf(-1, 20)])
      .toEqual([0, 1, 1, 2, 3, 3, 4, 4]);
    expect(['UNKNOWN', 'POOR', 'FAIR', 'GOOD', 'EXCELLENT'].map(qualityFromGrade)).toEqual([0, 1, 2, 3, 4]);
    expect([worst(0, 3), worst(2, 0), worst(2, 4)]).toEqual([3, 2, 2]);
  });

  it('writes numbers for people', () => {
    expect([formatBitrate(0), formatBitrate(640_400), formatBitrate(1_540_000), formatBitrate(12_000_000)]).toEqual(['0 kb/s', '640 kb/s', '1.5 Mb/s', '12 Mb/s']);
    expect([formatPercent(-1), formatPercent(0), formatPercent(0.012), formatPercent(0.5)]).toEqual(['–', '0 %', '1.2 %', '50 %']);
    expect([formatMs(-1), formatMs(12.4)]).toEqual(['–', '12 ms']);
    expect([formatDuration(0), formatDuration(65_000), formatDuration(3_661_000)]).toEqual(['00:00', '01:05', '1:01:01']);
  });
});
