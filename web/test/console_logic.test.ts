import { describe, expect, it } from 'vitest';
import type { Schema } from '../src/console/api/client';
import { formatBytes, formatKbps, formatSpan } from '../src/console/logic/format';
import { displayName, grade, kbpsOf, levelShare, remember, renewMs, tracksOf, type Member } from '../src/console/logic/member';
import { badMoments, columns, toneOf, type History } from '../src/console/logic/quality';
import { rangeFrom } from '../src/console/logic/range';
import { formOf, patchOf } from '../src/console/logic/settings';
import { snippets } from '../src/console/logic/snippets';
import { steps, totals, type Row } from '../src/console/logic/usage';
import { tables } from '../src/console/words';
import { format } from '../src/i18n';

const t0 = Date.UTC(2026, 0, 1, 10, 42, 0);
const at = (s: number): string => new Date(t0 + s * 1000).toISOString();

describe('console: quality', () => {
  const event = (s: number, name: string): Schema['Event'] => ({ id: `e${s}`, event: name, ts: t0 + s * 1000, appId: 'demo', userId: 'ada' });
  const history: History = {
    grainS: 10,
    eventsComplete: true,
    members: [
      {
        userId: 'ada',
        points: [
          { at: at(10), upLossPercent: 0, rttMs: 30 },
          { at: at(20), upLossPercent: 12, downLossPercent: 1, rttMs: 30 },
          { at: at(30), downLossPercent: 7, rttMs: 450, freezes: 1, freezeMs: 800 },
          { at: at(40), upLossPercent: 4.9, rttMs: 399 },
          { at: at(90), freezeMs: 300 },
        ],
      },
      { userId: 'bob', points: [{ at: at(25), rttMs: 500 }] },
    ],
    events: [event(1, 'user_joined'), event(12, 'user_reconnected'), event(70, 'track_muted'), event(200, 'user_left')],
  };

  it('joins bad points that follow each other, with what happened meanwhile', () => {
    const moments = badMoments(history);
    expect(moments.map((m) => [m.userId, (m.fromMs - t0) / 1000, (m.toMs - t0) / 1000])).toEqual([['ada', 10, 30], ['bob', 15, 25], ['ada', 80, 90]]);
    expect(moments[0]).toMatchObject({ lossPercent: 12, rttMs: 450, freezeMs: 800 });
    expect(moments[0]!.events.map((e) => e.event)).toEqual(['user_joined', 'user_reconnected']);
    expect(moments[2]!.events.map((e) => e.event)).toEqual(['track_muted']);
  });

  it('lays members on one axis: another’s second is no break, silence is one', () => {
    const points = (times: number[]) => times.map((s) => ({ at: at(s), rttMs: s }));
    const { x, ys } = columns([{ points: points([0, 10, 20, 100]), value: (p) => p.rttMs }, { points: points([5, 15]), value: (p) => p.rttMs }], 10);
    expect(x.map((s) => s - t0 / 1000)).toEqual([0, 5, 10, 15, 20, 30, 100]);
    expect(ys[0]).toEqual([0, undefined, 10, undefined, 20, null, 100]);
    expect(ys[1]).toEqual([null, 5, undefined, 15, null, null, null]);
    expect(columns([], 10)).toEqual({ x: [], ys: [] });
  });

  it('gives events a tone', () => {
    expect(['user_joined', 'user_left', 'track_published', 'track_unpublished', 'job_failed', 'role_changed'].map((name) => toneOf({ event: name }))).toEqual(['good', 'bad', 'good', 'bad', 'bad', 'plain']);
    expect(['bad', 'good'].map((state) => toneOf({ event: 'quality_alarm', data: { state } }))).toEqual(['bad', 'good']);
  });
});

describe('console: members', () => {
  const member = (userId: string, more: Partial<Member> = {}): Member => ({
    userId, kind: 'web', agent: '', userData: '', permission: 'user', publish: true, subscribe: true, away: false, joinedAt: at(0), lockedKinds: [], tracks: [], subscriptions: [], ...more,
  });

  it('finds the display name in the user data, whatever is there', () => {
    const name = (userData: string) => displayName({ userId: 'u1', userData });
    expect(name('')).toBe('u1');
    expect(name(' Ada <b> ')).toBe('Ada <b>');
    expect(name('{"nickname":"王"}')).toBe('王');
    expect(name('{"name":7,"x":1}')).toBe('u1');
    expect(name('{not json')).toBe('{not json');
  });

  it('grades only what is known', () => {
    expect(grade(undefined)).toBe(0);
    expect(grade({ at: at(0), upKbps: 100 })).toBe(0);
    expect(grade({ at: at(0), upLossPercent: 0, rttMs: 20 })).toBe(4);
    expect(grade({ at: at(0), downLossPercent: 20 })).toBe(1);
  });

  it('keeps short lines of those who are there', () => {
    let lines = new Map<string, Schema['Quality'][]>();
    for (let i = 2; i <= 11; i++) {
      // Each point is seen twice.
      const quality = { at: at(10 * Math.floor(i / 2)), upKbps: Math.floor(i / 2), downKbps: 1 };
      lines = remember(lines, [member('a', { quality }), ...(i < 6 ? [member('b', { quality })] : []), member('new')], 3);
    }
    expect([...lines].map(([id, points]) => [id, points.map(kbpsOf)])).toEqual([['a', [4, 5, 6]], ['new', []]]);
  });

  const track = (trackId: string, userId: string, kind: 'audio' | 'video'): Schema['Track'] => ({ trackId, userId, kind, tag: '', master: true, codec: 'opus', simulcast: false, muted: false, locked: false, subscribers: 0 });
  it('lists a member’s own tracks, sound first', () => {
    expect(tracksOf(member('a'), [track('2', 'a', 'video'), track('3', 'b', 'audio'), track('1', 'a', 'audio')]).map((t) => t.trackId)).toEqual(['1', '2']);
  });

  it('shows how loud a track is, and asks sooner while there is sound', () => {
    expect([-127, -60, -30, 0].map(levelShare)).toEqual([0, 0, 0.5, 1]);
    const people = (n: number) => Array.from({ length: n }, (_, i) => member(`m${i}`));
    const mic = track('1', 'm0', 'audio');
    expect(renewMs({ members: people(2), tracks: [mic] })).toBeLessThan(1_000);
    for (const quiet of [undefined, { members: people(2), tracks: [track('2', 'm0', 'video')] }, { members: people(2), tracks: [{ ...mic, muted: true }] }, { members: people(31), tracks: [mic] }]) {
      expect(renewMs(quiet)).toBe(2_000);
    }
  });
});

describe('console: usage and settings', () => {
  const row = (s: number, audioMinutes: number): Row => ({
    at: at(s), audioMinutes, videoMinutes: { sd: 1, hd: 2, fhd: 0, uhd: 0 },
    published: { audioMinutes: 0, videoMinutes: { sd: 0, hd: 0, fhd: 0, uhd: 0 } },
    bytesIn: 10, bytesOut: 20, packetsIn: 1, packetsOut: 2, jobMinutes: { merge: 1, forward: 0, record: 0 }, peakUsers: audioMinutes,
  });

  it('sums minutes and takes the most of people', () => {
    expect(totals([row(0, 3), row(3600, 2)])).toEqual({ audioMinutes: 5, videoMinutes: 6, jobMinutes: 2, bytesIn: 20, bytesOut: 40, peakUsers: 3 });
  });

  it('shows hours without a row as without use', () => {
    const hour = Date.UTC(2026, 0, 1, 10);
    const one = { ...row(0, 1), at: new Date(hour).toISOString() };
    const laid = steps([one], 'hour', hour - 3_600_000, hour + 3_600_001);
    expect(laid.x).toHaveLength(3);
    expect(laid.rows).toEqual([undefined, one, undefined]);
    expect(steps([], 'hour', 0, 1e13).x).toHaveLength(1000);
  });

  const app = { appId: 'demo', uid: 1, title: 'T', hub: '', maxUsers: 12, noAutoKickUser: false, noAutoCloseRoom: false, noAutoCreateRoom: false, autoCloseTtl: 10, videoCodec: 'H264', dnsResolve: false, createdAt: at(0), updatedAt: at(0) } as Schema['App'];

  it('sends only what was changed, and a secret only when one was typed', () => {
    expect(patchOf(formOf(app), app)).toEqual({});
    expect(patchOf({ ...formOf(app), title: '', maxUsers: 20 }, app)).toEqual({ title: '', maxUsers: 20 });
    expect(patchOf({ ...formOf(app), eventCbSecret: 's' }, app)).toEqual({ eventCbSecret: 's' });
    expect(patchOf({ ...formOf(app), bucket: 'b' }, app)).toEqual({ storage: { bucket: 'b', expireDay: 0 } });
  });

  it('reads the time that a page looks at from the address', () => {
    const now = 2_000_000_000_000;
    expect(rangeFrom({}, 'last24h', now)).toEqual({ fromMs: now - 86_400_000, toMs: now, preset: 'last24h' });
    expect(rangeFrom({ last: 'lastHour' }, 'last24h', now).preset).toBe('lastHour');
    expect(rangeFrom({ last: 'constructor' }, 'last24h', now).preset).toBe('last24h');
    expect(rangeFrom({ from: '10', to: '20' }, 'last24h', now)).toEqual({ fromMs: 10_000, toMs: 20_000, preset: null });
    for (const bad of [{ from: '20', to: '10' }, { from: 'x', to: '1' }, { from: '1', to: 'Infinity' }]) expect(rangeFrom(bad, 'last24h', now).preset).toBe('last24h');
  });
});

describe('console: words', () => {
  it('keeps somebody’s text from turning the sentence around it', () => {
    expect(format('Put {name} out?', { name: '李雷 😀 <b>' })).toBe('Put 李雷 😀 <b> out?');
    expect(format('Put {name} out?', { name: 'eve\u202egnp.' })).toBe('Put \u2068eve\u202egnp.\u2069 out?');
    expect(format('{name}!', { name: 'a\u2069\u202eb' })).toBe('\u2068a\u202eb\u2069!');
    expect(format('{name}!', { name: 'שלום' })).toBe('\u2068שלום\u2069!');
  });
});

describe('console: words and figures', () => {
  it('says in Chinese all that it says in English, with the same values', () => {
    expect(Object.keys(tables.zh).sort()).toEqual(Object.keys(tables.en).sort());
    const values = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();
    for (const [key, text] of Object.entries(tables.en)) expect(values(tables.zh[key as keyof typeof tables.zh]), key).toEqual(values(text));
  });

  it('writes spans, bytes and rates', () => {
    expect([0, 42_000, 185_000, 7_800_000, 86_400_000].map((ms) => formatSpan(ms, 'en'))).toEqual(['0 s', '42 s', '3 min 5 s', '2 h 10 min', '1 d']);
    expect(formatSpan(185_000, 'zh')).toBe('3分5秒');
    expect([0, 999, 1500, 2.5e9].map((b) => formatBytes(b, 'en'))).toEqual(['0 B', '999 B', '1.5 kB', '2.5 GB']);
    expect([80.4, 2500].map((k) => formatKbps(k, 'en'))).toEqual(['80 kb/s', '2.5 Mb/s']);
  });

  it('puts no quote of a name into a snippet', () => {
    const list = snippets("h:1'); evil(", 'a"b\\`${x}', true);
    expect(list.map((s) => s.id)).toEqual(['node', 'go', 'java', 'python', 'php']);
    for (const s of list) {
      expect(s.code, s.id).toContain('abx');
      expect(s.code, s.id).not.toContain('evil(');
      expect(s.code, s.id).not.toContain('a"b');
    }
    expect(list.find((s) => s.id === 'python')!.code).toContain('rtc.host = "https://h:1evil"');
  });
});
