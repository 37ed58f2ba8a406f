import { describe, expect, it } from 'vitest';
import { defaultReconnectPolicy, INITIAL, MAX_WAITING, QNRTCError, step, TokenError } from '../src/index';
import { roomToken, track, World } from './world';

const settled = async (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'ok', (error: unknown) => error);

describe('joining', () => {
  it('sends the room token once and reports who and what is there, but not itself (M9)', async () => {
    const w = await new World().joined({
      players: [{ playerid: 'me', playerdata: 'x' }, { playerid: 'ann', playerdata: 'Ann' }],
      tracks: [track('t1', 'ann', 'audio'), track('t2', 'ann', 'video'), track('own', 'me', 'audio')],
    });
    expect(w.socket.url).toBe('wss://gate.test/');
    expect(w.socket.last('auth')).toMatchObject({ app: 'app', room: 'room', user: 'me', playerdata: 'data', agent: 'wechat miniprogram', sdkversion: '4.0.6' });
    expect(w.states()).toEqual(['CONNECTING', 'CONNECTED']);
    expect(w.ofType('user-joined').map((e) => e.user)).toEqual([{ userId: 'ann', userData: 'Ann' }]);
    expect(w.ofType('tracks-added').map((e) => [e.userId, e.tracks.map((t) => t.trackId)])).toEqual([['ann', ['t1', 't2']]]);
    expect(w.ofType('session')).toEqual([{ type: 'session', session: { token: 'tok1', host: 'rtmp.test' }, renewed: false }]);
  });

  it('answers a null list like an empty one', async () => {
    const w = await new World().joined({ players: null, tracks: null });
    expect(w.states().at(-1)).toBe('CONNECTED');
  });

  it.each([[10001, 'token'], [10002, 'token'], [10005, 'ended'], [10011, 'refused'], [10012, 'refused'], [10022, 'ended'], [10054, 'refused'], [99999, 'unexpected']])(
    'rejects with the server’s code %i and ends', async (code, reason) => {
      const w = new World();
      const promise = settled(w.runner.join(roomToken('me'), ''));
      w.advance(10);
      w.refuse(code, 'because');
      const error = (await promise) as QNRTCError;
      expect(error).toBeInstanceOf(QNRTCError);
      expect([error.code, error.reason, error.message]).toEqual([code, reason, 'because']);
      expect(w.ofType('state').at(-1)).toEqual({ type: 'state', state: 'DISCONNECTED', info: { reason: 'ERROR', errorCode: code, errorMessage: 'because' } });
      expect([w.timerCount, w.socket.closedByClient]).toEqual([0, true]);
    });

  it('rejects, and does not resolve, when nothing listens (M1)', async () => {
    const w = new World();
    w.listening = false;
    const promise = settled(w.runner.join(roomToken('me'), ''));
    w.advance(10_000);
    expect(((await promise) as QNRTCError).code).toBe(21001);
    expect(w.sockets.length).toBe(3);
    expect(w.timerCount).toBe(0);
  });

  it('tries again when the socket closes before the answer (M2)', async () => {
    const w = new World();
    const promise = w.runner.join(roomToken('me'), '');
    w.advance(10);
    w.socket.events.closed(1006);
    w.advance(1000);
    w.welcome();
    await promise;
    expect(w.sockets.length).toBe(2);
    expect(w.states()).toEqual(['CONNECTING', 'CONNECTED']);
  });

  it('does not wait for ever for an answer that never comes', async () => {
    const w = new World();
    const promise = settled(w.runner.join(roomToken('me'), ''));
    w.advance(60_000);
    expect(((await promise) as QNRTCError).code).toBe(21001);
  });

  it('retries a server that is busy (10052)', async () => {
    const w = new World();
    const promise = w.runner.join(roomToken('me'), '');
    w.advance(10);
    w.refuse(10052);
    w.advance(2000);
    w.welcome();
    await promise;
  });

  it.each(['', 'a:b', 'a:b:!!!', 'a:b:e30', `a:b:${Buffer.from('[1]').toString('base64')}`, `a:b:${Buffer.from([0xff, 0xfe]).toString('base64')}`])(
    'refuses the token %j without touching the network', async (token) => {
      const w = new World();
      const error = await settled(w.runner.join(token, ''));
      expect(error).toBeInstanceOf(TokenError);
      expect((error as QNRTCError).code).toBe(21005);
      expect(w.sockets.length).toBe(0);
    });

  it('reads names in any script and both base64 alphabets', async () => {
    const w = new World();
    void w.runner.join(roomToken('用户>?~', { roomName: '房间' }), '');
    w.advance(10);
    expect(w.socket.last('auth')).toMatchObject({ user: '用户>?~', room: '房间' });
  });

  it('refuses a second join, and joins again after leaving', async () => {
    const w = await new World().joined();
    expect(((await settled(w.runner.join(roomToken('me'), ''))) as QNRTCError).code).toBe(21002);
    w.runner.leave();
    const again = w.runner.join(roomToken('me'), '');
    w.advance(10);
    w.welcome({ rtmptoken: 'tok2' });
    await again;
    expect(w.states()).toEqual(['CONNECTING', 'CONNECTED', 'DISCONNECTED', 'CONNECTING', 'CONNECTED']);
  });
});

describe('room events', () => {
  it('follows users, tracks and mutes, and shrinks the lists again (M8)', async () => {
    const w = await new World().joined();
    w.socket.say('on-player-in', { playerid: 'ann', playerdata: 'Ann' });
    w.socket.say('on-add-tracks', { tracks: [track('a1', 'ann', 'audio'), track('v1', 'ann', 'video')] });
    w.socket.say('mute-tracks', { tracks: [{ trackid: 'unknown', muted: true }, { trackid: 'v1', muted: true }] });
    w.socket.say('mute-tracks', { tracks: [{ trackid: 'v1', muted: true }] });
    w.socket.say('on-remove-tracks', { tracks: [track('v1', 'ann', 'video')] });
    w.socket.say('on-player-out', { playerid: 'ann' });
    const seen = w.events.slice(-5).map((e) => ('tracks' in e ? [e.type, e.tracks.map((t) => t.trackId).join()] : 'track' in e ? [e.type, e.track.muted] : [e.type]));
    expect(seen).toEqual([['tracks-added', 'a1,v1'], ['mute-changed', true], ['tracks-removed', 'v1'], ['tracks-removed', 'a1'], ['user-left']]);
    expect([w.runner.current.room.users.size, w.runner.current.room.tracks.size]).toEqual([0, 0]);
  });

  it('takes a new version of a track for another track', async () => {
    const w = await new World().joined({ tracks: [track('v1', 'ann', 'video')] });
    w.events = [];
    w.socket.say('on-add-tracks', { tracks: [track('v1', 'ann', 'video', { versionid: 2 })] });
    expect(w.events.map((e) => e.type)).toEqual(['tracks-removed', 'tracks-added']);
  });

  it('hands on messages and job states', async () => {
    const w = await new World().joined();
    w.socket.say('on-messages', { messages: [{ msgid: 'm1', playerid: 'ann', type: 'normal', text: '你好', msgts: 5, msgsn: 1 }] });
    w.socket.say('on-merge-job-connected', { id: 'mix' });
    w.socket.say('on-job-disconnected', { id: 'relay' });
    expect(w.ofType('message')[0]!.message).toEqual({ id: 'm1', userId: 'ann', text: '你好', timestampMs: 5 });
    expect(w.ofType('job').map((e) => [e.kind, e.id, e.running])).toEqual([['merge', 'mix', true], ['forward', 'relay', false]]);
  });

  it('survives what is no message', async () => {
    const w = await new World().joined();
    const before = w.events.length;
    for (const junk of ['', '=', '={}', 'ping', 'ping=', 'ping={', 'on-player-in=[]', 'on-player-in=null', 'on-player-in=7', 'x'.repeat(2 << 20), new ArrayBuffer(4), undefined]) w.socket.events.message(junk);
    for (const name of ['on-add-tracks', 'on-remove-tracks', 'mute-tracks', 'on-messages', 'on-add-local-tracks']) {
      for (const value of [undefined, null, 1, 'x', [null, 1, 'x', {}, { trackid: 5 }], {}]) w.socket.say(name, { tracks: value, messages: value });
    }
    w.socket.say('constructor', {});
    expect(w.events.slice(before)).toEqual([]);
    expect(w.states().at(-1)).toBe('CONNECTED');
  });

  it.each([
    [0, 'LEAVE', undefined], [10006, 'KICKED_OUT', 10006], [10001, 'ERROR', 10001], [10002, 'ERROR', 10002], [10004, 'ERROR', 10004],
    [10005, 'ERROR', 10005], [10007, 'ERROR', 10007], [10011, 'ERROR', 10011], [10012, 'ERROR', 10012], [10022, 'ERROR', 10022], [4711, 'ERROR', 4711],
  ])('ends at disconnect %i with %s', async (code, reason, errorCode) => {
    const w = await new World().joined();
    const request = settled(w.runner.request('send-message', {}));
    w.socket.say('disconnect', { code, error: 'why' });
    const info = w.ofType('state').at(-1)!.info!;
    expect([info.reason, info.errorCode]).toEqual([reason, errorCode]);
    expect(await request).toBeInstanceOf(Error);
    expect([w.timerCount, w.socket.closedByClient, w.sockets.length]).toEqual([0, true, 1]);
  });
});

describe('heartbeat', () => {
  it('sends one pong after joining and one for each ping', async () => {
    const w = await new World().joined();
    w.socket.say('ping');
    w.socket.say('ping');
    expect(w.socket.sent.filter((m) => m.name === 'pong').length).toBe(3);
  });

  it('takes 9 s of silence for a dead socket, and pings for life', async () => {
    const w = await new World().joined();
    for (let i = 0; i < 10; ++i) {
      w.advance(8900);
      w.socket.say('ping');
    }
    expect(w.sockets.length).toBe(1);
    w.advance(8999);
    expect(w.states().at(-1)).toBe('CONNECTED');
    w.advance(1);
    expect(w.states().at(-1)).toBe('RECONNECTING');
    expect(w.sockets[0]!.closedByClient).toBe(true);
  });
});

describe('reconnecting', () => {
  const CLOSE_CODES = [1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 1015, 3000, 4000, 4001, 4999];

  it.each(CLOSE_CODES)('comes back after close code %i with the session key only, on one socket (M3, M4)', async (code) => {
    const w = await new World().joined({ players: [{ playerid: 'ann', playerdata: '' }], tracks: [track('v1', 'ann', 'video')] });
    w.events = [];
    w.socket.events.closed(code);
    w.advance(2000);
    expect(w.sockets.length).toBe(2);
    expect(Object.keys(w.socket.last('auth')).sort()).toEqual(['rpcid', 'rtmptoken']);
    expect(w.socket.last('auth').rtmptoken).toBe('tok1');
    w.welcome({ players: [{ playerid: 'ann', playerdata: '' }], tracks: [track('v1', 'ann', 'video')] });
    expect(w.events.map((e) => (e.type === 'state' ? e.state : e.type))).toEqual(['RECONNECTING', 'RECONNECTED']);
    w.advance(8000);
    expect(w.sockets.length).toBe(2);
  });

  it('is back within 3 s of the loss', async () => {
    const w = await new World().joined();
    w.socket.events.closed(1006);
    const lost = w.now;
    w.advance(300);
    expect(w.socket.sent.map((m) => m.name)).toEqual(['auth']);
    expect(w.now - lost).toBeLessThan(3000);
  });

  it('ends at close code 1000', async () => {
    const w = await new World().joined();
    w.socket.events.closed(1000);
    expect(w.ofType('state').at(-1)!.info).toMatchObject({ reason: 'ERROR', errorCode: 21005 });
    expect(w.timerCount).toBe(0);
  });

  it('reports what happened meanwhile, once and in order', async () => {
    const w = await new World().joined({
      players: [{ playerid: 'ann' }, { playerid: 'bob' }],
      tracks: [track('a1', 'ann', 'audio'), track('v1', 'ann', 'video'), track('b1', 'bob', 'audio')],
    });
    w.events = [];
    w.socket.events.closed(1006);
    w.advance(1000);
    w.welcome({
      players: [{ playerid: 'ann' }, { playerid: 'cat', playerdata: 'C' }],
      tracks: [track('a1', 'ann', 'audio', { muted: true }), track('v1', 'ann', 'video', { versionid: 2 }), track('c1', 'cat', 'video')],
    });
    const told = w.events.map((e) => ('tracks' in e ? `${e.type} ${e.tracks.map((t) => t.trackId)}` : 'track' in e ? `${e.type} ${e.track.trackId}` : 'user' in e ? `${e.type} ${e.user.userId}` : e.type === 'user-left' ? `user-left ${e.userId}` : e.type));
    expect(told).toEqual(['state', 'state', 'tracks-removed b1', 'user-left bob', 'user-joined cat', 'tracks-removed v1', 'tracks-added v1', 'tracks-added c1', 'mute-changed a1']);
  });

  it('gives new addresses when the gateway moved', async () => {
    const w = await new World().joined({ players: [{ playerid: 'ann' }], tracks: [track('v1', 'ann', 'video')] });
    w.events = [];
    w.socket.events.closed(1001);
    w.advance(1000);
    w.welcome({ rtmphost: 'other.test', players: [{ playerid: 'ann' }], tracks: [track('v1', 'ann', 'video')] });
    expect(w.events.map((e) => e.type)).toEqual(['state', 'state', 'session', 'tracks-removed', 'tracks-added']);
    expect(w.ofType('session')[0]).toMatchObject({ renewed: true, session: { host: 'other.test' } });
  });

  it('joins again with the room token when the server forgot the session (10001)', async () => {
    const w = await new World().joined();
    w.runner.feed({ type: 'publish' });
    w.socket.say('on-add-local-tracks', { tracks: [track('l1', 'me', 'audio')] });
    w.events = [];
    w.socket.events.closed(1006);
    w.advance(1000);
    w.refuse(10001);
    w.advance(10);
    expect(w.socket.last('auth').roomtoken).toBe(roomToken('me'));
    w.welcome({ rtmptoken: 'tok2' });
    expect(w.events.map((e) => (e.type === 'state' ? e.state : e.type))).toEqual(['RECONNECTING', 'RECONNECTED', 'local-tracks-removed', 'session']);
  });

  it('ends with 10001 instead when told to', async () => {
    const w = await new World({ rejoin: false }).joined();
    w.socket.events.closed(1006);
    w.advance(1000);
    w.refuse(10001);
    expect(w.ofType('state').at(-1)!.info).toMatchObject({ reason: 'ERROR', errorCode: 10001 });
    expect(w.timerCount).toBe(0);
  });

  it.each([10005, 10011, 10022, 4711])('ends at code %i on return and does not loop (M5)', async (code) => {
    const w = await new World().joined();
    w.socket.events.closed(1006);
    w.advance(1000);
    w.refuse(code);
    w.advance(120_000);
    expect(w.ofType('state').at(-1)!.info).toMatchObject({ reason: 'ERROR', errorCode: code });
    expect([w.sockets.length, w.timerCount]).toEqual([2, 0]);
  });

  it('gives up with 21003 when nothing answers for 30 s', async () => {
    const w = await new World().joined();
    w.listening = false;
    w.socket.events.closed(1006);
    w.advance(29_000);
    expect(w.states().at(-1)).toBe('RECONNECTING');
    w.advance(10_000);
    expect(w.ofType('state').at(-1)!.info).toMatchObject({ reason: 'ERROR', errorCode: 21003 });
    expect(w.timerCount).toBe(0);
  });

  it('asks the policy it was given', async () => {
    const asked: unknown[] = [];
    const w = await new World({ policy: { nextDelay: (c) => (asked.push(c), c.attempt < 2 ? 7 : undefined) } }).joined();
    w.listening = false;
    w.socket.events.closed(1012);
    w.advance(100);
    expect(asked).toMatchObject([{ phase: 'reconnect', attempt: 0, closeCode: 1012, roll: 0.5 }, { attempt: 1 }, { attempt: 2, closeCode: 1006 }]);
    expect(w.states().at(-1)).toBe('DISCONNECTED');
  });

  it('goes on at server code 10052 and when the network is back', async () => {
    const w = await new World().joined();
    w.socket.say('disconnect', { code: 10052, error: 'drain' });
    expect(w.states().at(-1)).toBe('RECONNECTING');
    w.runner.wake();
    w.advance(6);
    w.welcome();
    expect(w.states().at(-1)).toBe('RECONNECTED');
  });

  it('does not trust a socket that was silent while the app slept', async () => {
    const w = await new World().joined();
    w.now += 60_000; // timers slept as well
    w.runner.wake();
    expect(w.states().at(-1)).toBe('RECONNECTING');
  });

  it('ignores late news of an older socket', async () => {
    const w = await new World().joined();
    const old = w.socket;
    old.events.closed(1006);
    w.advance(1000);
    w.welcome();
    old.say('disconnect', { code: 10006 });
    old.events.closed(1000);
    expect(w.states().at(-1)).toBe('RECONNECTED');
  });

  it('repeats mutes, reports other requests, and sends what waited', async () => {
    const w = await new World().joined();
    w.runner.feed({ type: 'publish' });
    w.socket.say('on-add-local-tracks', { tracks: [track('l1', 'me', 'audio')] });
    const mute = settled(w.runner.mute('l1', true));
    const message = settled(w.runner.request('send-message', { text: 'x' }));
    w.socket.events.closed(1006);
    expect(((await message) as QNRTCError).code).toBe(21003);
    const later = settled(w.runner.request('send-message', { text: 'later' }));
    w.advance(1000);
    w.welcome();
    for (const name of ['mute-tracks', 'send-message']) w.socket.say(`${name}-res`, { rpcid: w.socket.last(name).rpcid, code: 0 });
    expect([await mute, await later]).toEqual(['ok', 'ok']);
  });

  it('keeps a bounded number of waiting requests', async () => {
    const w = await new World().joined();
    w.socket.events.closed(1006);
    const all = Array.from({ length: MAX_WAITING + 1 }, () => settled(w.runner.request('send-message', {})));
    expect(((await all.at(-1)) as QNRTCError).code).toBe(21003);
    w.runner.leave();
    expect((await Promise.all(all)).every((r) => r instanceof QNRTCError)).toBe(true);
  });
});

describe('requests', () => {
  it('matches answers by rpcid, whatever their name and order', async () => {
    const w = await new World().joined();
    const first = settled(w.runner.request('stop-merge', { id: 'a' }));
    const second = settled(w.runner.request('stop-merge', { id: 'b' }));
    const [a, b] = w.socket.sent.filter((m) => m.name === 'stop-merge').map((m) => m.body.rpcid as string);
    w.socket.say('whatever', { rpcid: b, code: 10077, error: 'there' });
    w.socket.say('whatever', { rpcid: a, code: 0 });
    expect(await first).toBe('ok');
    expect(await second).toMatchObject({ code: 10077, message: 'there', reason: 'refused' });
  });

  it('gives up on an answer after 10 s and ignores it when it comes', async () => {
    const w = await new World().joined();
    const promise = settled(w.runner.request('send-message', {}));
    const { rpcid } = w.socket.last('send-message');
    for (let i = 0; i < 4; ++i) {
      w.advance(3000);
      w.socket.say('ping');
    }
    expect(await promise).toMatchObject({ code: 21004, reason: 'timeout' });
    w.socket.say('send-message-res', { rpcid, code: 0 });
    expect(w.states().at(-1)).toBe('CONNECTED');
  });

  it('rejects outside a room', async () => {
    const w = new World();
    expect(await settled(w.runner.request('send-message', {}))).toMatchObject({ code: 21002 });
    expect(await settled(w.runner.mute('x', true))).toMatchObject({ code: 21002 });
  });
});

describe('publishing', () => {
  it('keeps tracks that arrive before publish() until then (M6)', async () => {
    const w = await new World().joined();
    w.socket.say('on-add-local-tracks', { tracks: [track('l1', 'me', 'audio')] });
    expect(w.ofType('local-tracks')).toEqual([]);
    w.runner.feed({ type: 'publish' });
    expect(w.ofType('local-tracks').map((e) => e.tracks.map((t) => t.trackId))).toEqual([['l1']]);
  });

  it('adds late audio to the video that is there, and mutes again what was muted', async () => {
    const w = await new World().joined();
    w.runner.feed({ type: 'publish' });
    w.socket.say('on-add-local-tracks', { tracks: [track('v1', 'me', 'video')] });
    void w.runner.mute('v1', true);
    w.socket.say('on-add-local-tracks', { tracks: [track('a1', 'me', 'audio')] });
    expect(w.ofType('local-tracks').at(-1)!.tracks.map((t) => t.trackId)).toEqual(['v1', 'a1']);
    w.socket.say('on-remove-local-tracks', { tracks: [track('v1', 'me', 'video')] });
    w.socket.say('on-add-local-tracks', { tracks: [track('v2', 'me', 'video')] });
    expect(w.socket.last('mute-tracks').tracks).toEqual([{ trackid: 'v2', muted: true }]);
  });

  it('is told when somebody else mutes it', async () => {
    const w = await new World().joined();
    w.runner.feed({ type: 'publish' });
    w.socket.say('on-add-local-tracks', { tracks: [track('a1', 'me', 'audio')] });
    w.socket.say('mute-tracks', { tracks: [{ trackid: 'a1', muted: true }] });
    expect(w.ofType('local-mute-changed').map((e) => e.track.muted)).toEqual([true]);
  });
});

describe('leaving', () => {
  const moments: [string, (w: World) => void | Promise<void>][] = [
    ['while the socket opens', (w) => { void settled(w.runner.join(roomToken('me'), '')); }],
    ['before the answer', (w) => { void settled(w.runner.join(roomToken('me'), '')); w.advance(10); }],
    ['in the room', async (w) => { await w.joined(); }],
    ['with requests on their way', async (w) => { await w.joined(); void settled(w.runner.request('send-message', {})); }],
    ['while waiting for the next attempt', async (w) => { await w.joined(); w.socket.events.closed(1006); }],
    ['while coming back', async (w) => { await w.joined(); w.socket.events.closed(1006); w.advance(400); }],
  ];
  it.each(moments)('%s leaves no timer and no socket behind', async (_, prepare) => {
    const w = new World();
    await prepare(w);
    w.runner.leave();
    expect(w.timerCount).toBe(0);
    expect(w.runner.held).toEqual({ timers: [], sockets: 0 });
    expect(w.ofType('state').at(-1)).toEqual({ type: 'state', state: 'DISCONNECTED', info: { reason: 'LEAVE' } });
    const sockets = w.sockets.length;
    w.advance(120_000);
    expect(w.sockets.length).toBe(sockets);
  });

  it('says goodbye', async () => {
    const w = await new World().joined();
    w.runner.leave();
    expect(w.socket.sent.at(-1)!.name).toBe('disconnect');
    expect(w.runner.current.room.users.size).toBe(0);
  });
});

it('is pure: the same inputs give the same states, and old states stay as they were', () => {
  const w = new World();
  const context = { nowMs: 1, roll: 0.1, config: w.config };
  const inputs = [
    { type: 'join', ref: 1, token: roomToken('me'), identity: { appId: 'app', roomName: 'room', userId: 'me' }, userData: '' },
    { type: 'opened', socket: 1 },
    { type: 'frame', socket: 1, data: 'auth-res={"rpcid":"1","code":0,"rtmptoken":"t","rtmphost":"h","players":[{"playerid":"a"}],"tracks":[]}' },
    { type: 'closed', socket: 1, code: 1006 },
    { type: 'timer', name: 'retry' },
  ] as const;
  const run = (): string => {
    let state = INITIAL;
    const trace: unknown[] = [];
    for (const input of inputs) {
      const frozen = JSON.stringify(state);
      const [next, effects] = step(state, input, context);
      expect(JSON.stringify(state)).toBe(frozen);
      state = Object.freeze(next);
      trace.push(next.phase, effects);
    }
    return JSON.stringify(trace);
  };
  expect(run()).toBe(run());
  expect(JSON.parse(run())[8]).toBe('opening');
});

it('the standard policy spreads attempts and never waits longer than 4 s', () => {
  const policy = defaultReconnectPolicy();
  const at = (attempt: number, roll: number, closeCode = 1006): number | undefined => policy.nextDelay({ phase: 'reconnect', attempt, elapsedMs: 0, closeCode, roll });
  expect([0, 1, 2, 3, 4, 9].map((n) => at(n, 0))).toEqual([200, 500, 1000, 2000, 4000, 4000]);
  expect(at(1, 0.999)).toBeLessThan(400);
  expect(at(0, 0, 1012)).toBe(1000);
});
