import { expect, it } from 'vitest';
import { FreezeMeter } from '../src/logic/freezes';
import type { Reading } from '../src/logic/stats';

const reading = (freezeCount: number, totalFreezesDuration: number, kind = 'video'): Reading =>
  new Map([['i', { id: 'i', type: 'inbound-rtp', timestamp: 1, kind, trackIdentifier: 'T', freezeCount, totalFreezesDuration }]]);

it('freezes are reported once, ten seconds after the last report at the earliest', () => {
  const meter = new FreezeMeter(1000);
  meter.add(reading(1, 0.4), new Map());
  meter.add(reading(3, 1.3), reading(1, 0.4));
  meter.add(reading(2, 9, 'audio'), new Map());
  expect(meter.take(10_999)).toBeNull();
  expect(meter.take(12_000)).toEqual([
    { timestamp: 12_000, event_id: 53, event_name: 'VideoPlayQuality', track_id: 'T', freeze_duration: 1300, total_duration: 11_000, freeze_count: 3 },
  ]);
  expect(meter.take(40_000)).toBeNull();
});

it('a freeze longer than the time between two reports, and counters that fall', () => {
  const meter = new FreezeMeter(0);
  meter.add(reading(1, 25), reading(0, 0));
  expect(meter.take(10_000)).toMatchObject([{ freeze_duration: 25_000, total_duration: 25_000 }]);
  meter.add(reading(0, 0), reading(5, 25));
  meter.add(new Map([['x', { id: 'x', type: 'inbound-rtp', timestamp: 1, kind: 'video' }]]), new Map());
  expect(meter.take(30_000)).toBeNull();
});
