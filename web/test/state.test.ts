import { describe, expect, it } from 'vitest';
import { kMaxRejoinAttempts, nextPhase, rejoinDelayMs, type LinkEvent, type Phase } from '../src/logic/connection';
import { kProblems, problemFromCode, problemFromMedia, problemFromTokenStatus, problemOfLoss, remedyFor } from '../src/logic/errors';
import { SpeakerPicker } from '../src/logic/speaker';
import { format, languageFor, tables } from '../src/i18n';

const run = (events: LinkEvent[], from: Phase = { kind: 'joining' }) => events.reduce(nextPhase, from);

describe('connection', () => {
  it('goes from joining to live and through a short break', () => {
    expect(run([{ kind: 'connected' }])).toEqual({ kind: 'live', restored: false });
    expect(run([{ kind: 'connected' }, { kind: 'reconnecting' }])).toEqual({ kind: 'reconnecting' });
    expect(run([{ kind: 'connected' }, { kind: 'reconnecting' }, { kind: 'reconnected' }])).toEqual({ kind: 'live', restored: true });
    expect(run([{ kind: 'connected' }, { kind: 'reconnecting' }, { kind: 'reconnected' }, { kind: 'restored-shown' }]))
      .toEqual({ kind: 'live', restored: false });
  });

  it('says at once why a first join failed', () => {
    for (const problem of ['roomFull', 'tokenExpired', 'connectionLost', 'unreachable'] as const) {
      expect(run([{ kind: 'lost', problem }])).toEqual({ kind: 'ended', problem });
    }
  });

  it('comes back after the server was restarted', () => {
    const lost: LinkEvent = { kind: 'lost', problem: 'connectionLost' };
    const away: LinkEvent = { kind: 'lost', problem: 'unreachable' };
    expect(run([{ kind: 'connected' }, lost])).toEqual({ kind: 'rejoining', attempt: 1 });
    expect(run([{ kind: 'connected' }, lost, away, away])).toEqual({ kind: 'rejoining', attempt: 3 });
    expect(run([{ kind: 'connected' }, lost, away, { kind: 'connected' }])).toEqual({ kind: 'live', restored: true });
  });

  it('gives up in the end, and never after a kick', () => {
    const lost: LinkEvent = { kind: 'lost', problem: 'connectionLost' };
    expect(run([{ kind: 'connected' }, ...Array<LinkEvent>(kMaxRejoinAttempts + 1).fill(lost)])).toEqual({ kind: 'ended', problem: 'connectionLost' });
    for (const problem of ['kicked', 'elsewhere', 'roomClosed', 'tokenExpired'] as const) {
      expect(run([{ kind: 'connected' }, { kind: 'lost', problem }])).toEqual({ kind: 'ended', problem });
      expect(run([{ kind: 'connected' }, lost, { kind: 'lost', problem }])).toEqual({ kind: 'ended', problem });
    }
  });

  it('stays ended', () => {
    const ended = run([{ kind: 'connected' }, { kind: 'left' }]);
    expect(ended).toEqual({ kind: 'ended', problem: null });
    for (const e of [{ kind: 'connected' }, { kind: 'reconnecting' }, { kind: 'lost', problem: 'kicked' }] as LinkEvent[]) {
      expect(nextPhase(ended, e)).toBe(ended);
    }
  });

  it('waits longer each time, within a bound', () => {
    const delays = Array.from({ length: kMaxRejoinAttempts }, (_, i) => rejoinDelayMs(i + 1));
    expect(delays[0]).toBe(1000);
    for (let i = 1; i < delays.length; i++) expect(delays[i]).toBeGreaterThanOrEqual(delays[i - 1]!);
    expect(Math.max(...delays)).toBeLessThanOrEqual(10_000);
  });
});

describe('problems', () => {
  it('knows the codes of the server', () => {
    expect([10001, 10002, 10005, 10006, 10011, 10012, 10022, 10051].map(problemFromCode))
      .toEqual(['tokenInvalid', 'tokenExpired', 'roomClosed', 'kicked', 'roomFull', 'roomClosed', 'elsewhere', 'notAllowed']);
    expect(problemFromCode(undefined)).toBe('unknown');
    expect(problemFromCode(99999)).toBe('unknown');
  });

  it('does not blame the person for a restarted server', () => {
    expect([10001, 10002, 10004, 10012].map((c) => remedyFor(problemOfLoss(c, true)))).toEqual(['auto', 'auto', 'auto', 'auto']);
    expect([10005, 10006, 10022].map((c) => problemOfLoss(c, true))).toEqual(['roomClosed', 'kicked', 'elsewhere']);
    expect(problemOfLoss(10002, false)).toBe('tokenExpired');
  });

  it('knows what the browser says about devices', () => {
    expect(problemFromMedia({ name: 'NotAllowedError' }, 'camera')).toBe('permission');
    expect(problemFromMedia({ name: 'NotFoundError' }, 'camera')).toBe('noCamera');
    expect(problemFromMedia({ name: 'NotFoundError' }, 'microphone')).toBe('noMicrophone');
    expect(problemFromMedia({ name: 'NotReadableError' }, 'camera')).toBe('deviceBusy');
    expect(problemFromMedia({ name: 'NotAllowedError' }, 'screen')).toBe('screenDenied');
    expect(problemFromMedia({ name: 'Error', code: 23004 }, 'camera')).toBe('permission');
    expect(problemFromMedia(undefined, 'camera')).toBe('unknown');
    expect(problemFromMedia(null, 'camera')).toBe('unknown');
  });

  it('knows what the token service says', () => {
    expect([0, 404, 403, 429, 502, 503].map(problemFromTokenStatus))
      .toEqual(['unreachable', 'noTokenService', 'notAllowed', 'serverBusy', 'unreachable', 'unreachable']);
  });

  it('has a text and a remedy for each in both languages', () => {
    for (const p of kProblems) {
      expect(['auto', 'retry', 'leave']).toContain(remedyFor(p));
      for (const table of Object.values(tables)) {
        expect(table[`p_${p}`]).toBeTruthy();
        expect(table[`p_${p}_d`]).toBeTruthy();
      }
    }
  });
});

describe('languages', () => {
  const placeholders = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();

  it('are complete and keep their placeholders', () => {
    expect(Object.keys(tables.zh).sort()).toEqual(Object.keys(tables.en).sort());
    for (const key of Object.keys(tables.en) as (keyof typeof tables.en)[]) {
      expect(tables.zh[key].trim(), key).not.toBe('');
      expect(placeholders(tables.zh[key]), key).toEqual(placeholders(tables.en[key]));
    }
  });

  it('follow the browser until the reader chooses', () => {
    expect(languageFor(null, ['zh-CN', 'en'])).toBe('zh');
    expect(languageFor(null, ['fr-FR', 'zh-TW'])).toBe('zh');
    expect(languageFor(null, ['de', 'en-GB', 'zh'])).toBe('en');
    expect(languageFor(null, [])).toBe('en');
    expect(languageFor('zh', ['en'])).toBe('zh');
    expect(languageFor('xx', ['en'])).toBe('en');
  });

  it('fill in values once and leave the unknown alone', () => {
    expect(format('{a} {b} {c}', { a: '{b}', b: 2 })).toBe('{b} 2 {c}');
  });
});

describe('speaker', () => {
  const picker = () => new SpeakerPicker();

  it('gives the floor to the first who speaks and keeps it in silence', () => {
    const p = picker();
    expect(p.update([{ id: 'a', level: 0 }, { id: 'b', level: 0.2 }], 0)).toBe('b');
    expect(p.update([{ id: 'a', level: 0 }, { id: 'b', level: 0 }], 9000)).toBe('b');
  });

  it('does not flicker at a cough', () => {
    const p = picker();
    p.update([{ id: 'a', level: 0.2 }, { id: 'b', level: 0 }], 0);
    expect(p.update([{ id: 'a', level: 0.1 }, { id: 'b', level: 0.5 }], 200)).toBe('a');
    expect(p.update([{ id: 'a', level: 0.3 }, { id: 'b', level: 0.1 }], 400)).toBe('a');
    expect(p.update([{ id: 'a', level: 0.1 }, { id: 'b', level: 0.5 }], 600)).toBe('a');
    expect(p.update([{ id: 'a', level: 0.1 }, { id: 'b', level: 0.5 }], 1100)).toBe('b');
  });

  it('forgets who has left', () => {
    const p = picker();
    p.update([{ id: 'a', level: 0.2 }], 0);
    expect(p.update([{ id: 'b', level: 0 }], 200)).toBeNull();
  });
});
