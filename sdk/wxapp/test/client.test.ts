// The built package on a made phone against a scripted gateway over real sockets.
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Phone } from 'parley-fake-wechat';
import type * as Sdk from '../src/index';
import { Gateway, roomToken, track, until } from './gateway';

const dist = path.resolve(import.meta.dirname, '../miniprogram_dist/index.js');

let phone: Phone;
let gateway: Gateway;
let sdk: typeof Sdk;
let client: Sdk.QNRTCClient;
let events: [string, ...unknown[]][];

beforeEach(async () => {
  phone = new Phone({ domains: undefined });
  gateway = await new Gateway().start();
  sdk = phone.load(dist);
  sdk.default.setLogLevel(sdk.QNLogLevel.NONE);
  sdk.default.setConfig({ server: gateway.url });
  client = sdk.default.createClient();
  events = [];
  for (const name of ['user-joined', 'user-left', 'user-published', 'user-unpublished', 'connection-state-changed', 'message-received', 'local-unpublished', 'live-streaming-state-changed'] as const) {
    client.on(name, (...args: unknown[]) => events.push([name, ...args]));
  }
});
afterEach(async () => {
  await client.leave();
  expect(phone.listenerCount).toBe(0);
  await until('no socket left', () => phone.socketCount === 0);
  phone.off();
  gateway.stop();
});

const names = (): string[] => events.map(([name, a]) => (name === 'connection-state-changed' ? String(a) : name));
const failure = (promise: Promise<unknown>): Promise<Sdk.QNRTCError> => promise.then(() => { throw new Error('did not fail'); }, (e: Sdk.QNRTCError) => e);

describe('the published names', () => {
  it('are all there', () => {
    const QNRTC = sdk.default;
    expect(QNRTC.VERSION).toMatch(/^\d+\.\d+\.\d+$/);
    for (const name of ['createClient', 'setConfig', 'setLogLevel', 'updatePlayerStateChange', 'updatePlayerNetStatus', 'updatePusherStateChange', 'updatePusherNetStatus'] as const) {
      expect(typeof QNRTC[name]).toBe('function');
    }
    expect(sdk.QNConnectionState).toEqual({ DISCONNECTED: 'DISCONNECTED', CONNECTING: 'CONNECTING', CONNECTED: 'CONNECTED', RECONNECTING: 'RECONNECTING', RECONNECTED: 'RECONNECTED' });
    expect(sdk.QNConnectionDisconnectedReason).toEqual({ LEAVE: 'LEAVE', KICKED_OUT: 'KICKED_OUT', ERROR: 'ERROR' });
    expect(sdk.QNPublishStatus).toEqual({ READY: 'READY', COMPLETED: 'COMPLETED', ERROR: 'ERROR' });
    expect(sdk.QNLogLevel).toEqual({ VERBOSE: 'VERBOSE', INFO: 'INFO', WARNING: 'WARNING', ERROR: 'ERROR', NONE: 'NONE' });
    expect(sdk.QNMediaType).toEqual({ audio: 'audio', video: 'video' });
    expect(sdk.QNRenderMode).toEqual({ FILL: 'scaleToFit', ASPECT_FILL: 'aspectFill', ASPECT_FIT: 'aspectFit' });
    expect([sdk.QNRTCClient.USER_JOINED, sdk.QNRTCClient.USER_LEFT, sdk.QNRTCClient.USER_PUBLISHED, sdk.QNRTCClient.USER_UNPUBLISHED, sdk.QNRTCClient.CONNECTION_STATE_CHANGED, sdk.QNRTCClient.MESSAGE_RECEIVED])
      .toEqual(['user-joined', 'user-left', 'user-published', 'user-unpublished', 'connection-state-changed', 'message-received']);
    expect(sdk.QNRemoteTrack.MUTE_STATE_CHANGED).toBe('mute-state-changed');
    for (const name of ['join', 'leave', 'publish', 'subscribe', 'subscribeMixedAudio', 'unsubscribeMixedAudio', 'sendMessage', 'startDirectLiveStreaming', 'stopDirectLiveStreaming', 'startTranscodingLiveStreaming', 'stopTranscodingLiveStreaming', 'setTranscodingLiveStreamingTracks', 'removeTranscodingLiveStreamingTracks', 'on', 'once', 'off', 'addListener', 'removeListener', 'removeAllListeners', 'emit', 'listenerCount'] as const) {
      expect(typeof client[name]).toBe('function');
    }
  });
});

describe('a call', () => {
  beforeEach(async () => {
    gateway.room = { ...gateway.room, players: [{ playerid: 'me' }, { playerid: 'ann', playerdata: 'Ann' }], tracks: [track('a1', 'ann', 'audio'), track('v1', 'ann', 'video', { profiles: ['high', 'low'] })] };
    await client.join(roomToken('me'), 'Me');
  });

  it('joins, lists users and tracks, and leaves', async () => {
    expect(gateway.got('auth')[0]).toMatchObject({ app: 'app', room: 'room', user: 'me', playerdata: 'Me', roomtoken: roomToken('me') });
    expect([client.userID, client.userId, client.roomName, client.appId, client.connectionState]).toEqual(['me', 'me', 'room', 'app', 'CONNECTED']);
    expect(names()).toEqual(['CONNECTING', 'CONNECTED', 'user-joined', 'user-published']);
    const [ann] = client.remoteUsers;
    expect([ann!.userID, ann!.userData, ann!.getAudioTracks().length, ann!.getVideoTracks().length]).toEqual(['ann', 'Ann', 1, 1]);
    const video = ann!.getVideoTracks()[0]!;
    expect([video.trackID, video.userID, video.tag, video.isVideo(), video.isAudio(), video.isMuted()]).toEqual(['v1', 'ann', 'debug', true, false, false]);
    await client.leave();
    await until('goodbye', () => gateway.got('disconnect').length);
    expect(events.at(-1)).toEqual(['connection-state-changed', 'DISCONNECTED', { reason: 'LEAVE' }]);
    expect(client.remoteUsers).toEqual([]);
  });

  it('gives addresses of all forms', async () => {
    const [ann] = client.remoteUsers;
    const [videoTrack] = ann!.getVideoTracks();
    const [audioTrack] = ann!.getAudioTracks();
    const base = 'rtmp://rtmp.test:1935/?rtmptoken=tok1&';
    expect(await client.subscribe({ videoTrack: videoTrack!, audioTrack: audioTrack! })).toBe(`${base}trackid=v1&trackid=a1&playerid=ann`);
    expect(await client.subscribe({ audioTrack: audioTrack! })).toBe(`${base}trackid=a1&playerid=ann`);
    expect(await client.subscribe({ videoTrack: videoTrack! })).toBe(`${base}trackid=v1&playerid=ann`);
    const flv = `http${gateway.url.slice(2)}rtc.flv?rtmptoken=tok1&trackid=v1&playerid=ann`;
    expect(await client.subscribe({ videoTrack: videoTrack!, transport: 'flv' })).toBe(flv);
    expect(videoTrack!.isLowStreamEnabled()).toBe(true);
    videoTrack!.setLowStream(true);
    expect(await client.subscribe({ videoTrack: videoTrack! })).toBe(`${base}trackid=v1&playerid=ann&profile=low`);
    expect((await failure(client.subscribe({}))).code).toBe(21005);
  });

  it('gives one address for everybody’s sound, and forgets it when asked', async () => {
    const urls: string[] = [];
    await client.subscribeMixedAudio((url) => urls.push(url));
    await client.subscribeMixedAudio((url) => urls.push(url), { transport: 'flv' });
    expect(urls).toEqual(['rtmp://rtmp.test:1935/?rtmptoken=tok1&mix=audio', `http${gateway.url.slice(2)}rtc.flv?rtmptoken=tok1&mix=audio`]);
    await client.unsubscribeMixedAudio();
    gateway.room = { ...gateway.room, rtmptoken: 'tok2' };
    phone.cutSockets();
    await until('back', () => names().includes('RECONNECTED'));
    expect(urls.length).toBe(2);
    expect(await failure(client.subscribeMixedAudio(undefined as never))).toBeInstanceOf(sdk.ParameterError);
    await client.leave();
    expect(await failure(client.subscribeMixedAudio(() => {}))).toBeInstanceOf(sdk.StateError);
  });

  it('publishes: READY at once, COMPLETED with tracks, muting, own unpublish', async () => {
    const told: [string, unknown][] = [];
    await client.publish((status, data) => told.push([status, data.url ?? data.tracks?.map((t) => t.kind)]));
    expect(told).toEqual([['READY', 'rtmp://rtmp.test:1935/?rtmptoken=tok1&playerid=me']]);
    gateway.say('on-add-local-tracks', { tracks: [track('l1', 'me', 'audio'), track('l2', 'me', 'video')] });
    await until('COMPLETED', () => told.length === 2);
    expect(told[1]).toEqual(['COMPLETED', ['audio', 'video']]);
    const [mic] = client.localTracks;
    await mic!.setMuted(true);
    expect([mic!.isMuted(), gateway.got('mute-tracks')[0]!.tracks]).toEqual([true, [{ trackid: 'l1', muted: true }]]);
    await client.unpublish();
    expect(client.localTracks).toEqual([]);
    expect(names().at(-1)).toBe('local-unpublished');
    expect((await failure(mic!.setMuted(false))).code).toBe(21002);
  });

  it('follows what others do', async () => {
    const mutes: unknown[] = [];
    client.getRemoteUser('ann')!.getAudioTracks()[0]!.on('mute-state-changed', (muted) => mutes.push(muted));
    events = [];
    gateway.say('mute-tracks', { tracks: [{ trackid: 'a1', muted: true }] });
    gateway.say('on-player-in', { playerid: 'bob', playerdata: 'Bob' });
    gateway.say('on-add-tracks', { tracks: [track('b1', 'bob', 'video')] });
    gateway.say('on-messages', { messages: [{ msgid: 'm', playerid: 'bob', type: 'normal', text: '大家好', msgts: 1700000000000, msgsn: 1 }] });
    gateway.say('on-remove-tracks', { tracks: [track('v1', 'ann', 'video')] });
    gateway.say('on-player-out', { playerid: 'ann' });
    gateway.say('on-merge-job-connected', { id: 'mix' });
    await until('all of it', () => names().includes('live-streaming-state-changed'));
    expect(names()).toEqual(['user-joined', 'user-published', 'message-received', 'user-unpublished', 'user-unpublished', 'user-left', 'live-streaming-state-changed']);
    expect(events.find(([n]) => n === 'message-received')![1]).toEqual({ ID: 'm', userID: 'bob', content: '大家好', timestamp: 1700000000000 });
    expect(mutes).toEqual([true]);
    expect(client.remoteUsers.map((u) => u.userID)).toEqual(['bob']);
  });

  it('sends messages to all, or to some', async () => {
    await client.sendMessage('m1', 'hello');
    await client.sendMessage('m2', 'hello', [client.getRemoteUser('ann')!]);
    expect(gateway.got('send-message').map((m) => [m.msgid, m.target, m.type, m.text])).toEqual([['m1', [], 'normal', 'hello'], ['m2', ['ann'], 'normal', 'hello']]);
    expect(await failure(client.sendMessage('', 'x'))).toMatchObject({ code: 10053, name: 'ParameterError' });
  });

  it('starts and stops relays and mixes, sending only what was set (M7)', async () => {
    await client.publish(() => {});
    gateway.say('on-add-local-tracks', { tracks: [track('l1', 'me', 'audio'), track('l2', 'me', 'video')] });
    await until('tracks', () => client.localTracks.length === 2);
    const [audioTrack, videoTrack] = client.localTracks;
    await client.startDirectLiveStreaming({ streamID: 's', url: 'rtmp://cdn.test/live/s', audioTrack: audioTrack!, videoTrack: videoTrack! });
    await client.startDirectLiveStreaming({ streamID: 't', url: 'rtmp://cdn.test/live/t', audioTrack: audioTrack!, userConfigExtraInfo: 'sei' });
    await client.stopDirectLiveStreaming('s');
    const plain = (list: Record<string, any>[]): unknown[] => list.map(({ rpcid: _, ...rest }) => rest);
    expect(plain(gateway.got('create-forward-job'))).toEqual([
      { id: 's', publishUrl: 'rtmp://cdn.test/live/s', audioOnly: false, tracks: [{ trackid: 'l2' }, { trackid: 'l1' }], seiTemplate: {} },
      { id: 't', publishUrl: 'rtmp://cdn.test/live/t', audioOnly: true, tracks: [{ trackid: 'l1' }], seiTemplate: { value: 'sei' } },
    ]);
    expect(plain(gateway.got('stop-forward'))).toEqual([{ id: 's', delayMillisecond: 0 }]);
    await client.startTranscodingLiveStreaming({
      streamID: 'mix', url: 'rtmp://cdn.test/live/mix', width: 640, height: 480, videoFrameRate: 25, bitrate: 1000, minBitrate: 500, holdLastFrame: false,
      renderMode: sdk.QNRenderMode.ASPECT_FIT, background: { url: 'http://x/b.png', x: 0, y: 0, width: 640, height: 480 },
      transcodingTracks: [{ trackID: 'l2', x: 0, y: 0, width: 320, height: 240, zOrder: 1 }],
    });
    await client.startTranscodingLiveStreaming({ streamID: 'mix2', url: 'rtmp://cdn.test/live/mix2' });
    await client.removeTranscodingLiveStreamingTracks('mix', [{ trackID: 'l2' }]);
    await client.stopTranscodingLiveStreaming('mix');
    expect(plain(gateway.got('create-merge-job'))).toEqual([
      { id: 'mix', publishUrl: 'rtmp://cdn.test/live/mix', width: 640, height: 480, fps: 25, kbps: 1000, minRate: 500, holdLastFrame: false, stretchMode: 'aspectFit', background: { x: 0, y: 0, w: 640, h: 480, url: 'http://x/b.png' } },
      { id: 'mix2', publishUrl: 'rtmp://cdn.test/live/mix2' },
    ]);
    expect(plain(gateway.got('update-merge-tracks'))).toEqual([
      { id: 'mix', add: [{ trackid: 'l2', x: 0, y: 0, w: 320, h: 240, z: 1 }] }, { id: 'mix', remove: [{ trackid: 'l2' }] },
    ]);
    expect(plain(gateway.got('stop-merge'))).toEqual([{ id: 'mix' }]);
    gateway.refuse = { 'create-forward-job': { code: 10077, error: 'exists' } };
    expect(await failure(client.startDirectLiveStreaming({ streamID: 's', url: 'rtmp://cdn.test/live/s', videoTrack: videoTrack! }))).toMatchObject({ code: 10077, reason: 'refused', name: 'ServerError' });
    expect((await failure(client.startDirectLiveStreaming({ streamID: 's', url: 'http://cdn.test/', videoTrack: videoTrack! }))).code).toBe(10053);
    expect((await failure(client.startDirectLiveStreaming({ streamID: 's', url: 'rtmp://cdn.test/' }))).code).toBe(10053);
  });

  it('is kicked out', async () => {
    gateway.say('disconnect', { code: 10006, error: 'bye', kickedid: 'ann' });
    await until('kicked', () => names().includes('DISCONNECTED'));
    expect(events.at(-1)).toEqual(['connection-state-changed', 'DISCONNECTED', { reason: 'KICKED_OUT', errorCode: 10006, errorMessage: 'bye' }]);
    expect((await failure(client.publish(() => {}))).code).toBe(21002);
  });

  it('keeps its track objects over a reconnection (M10) and asks for nothing new', async () => {
    const before = client.getRemoteUser('ann')!.getVideoTracks()[0];
    const told: string[] = [];
    await client.publish((status) => told.push(status));
    events = [];
    phone.cutSockets();
    await until('back', () => names().includes('RECONNECTED'));
    expect(names()).toEqual(['RECONNECTING', 'RECONNECTED']);
    expect(client.getRemoteUser('ann')!.getVideoTracks()[0]).toBe(before);
    expect(told).toEqual(['READY']);
    expect(gateway.got('auth')[1]).toEqual({ rtmptoken: 'tok1', rpcid: expect.any(String) });
  });

  it('gives out new addresses when the gateway moved or restarted', async () => {
    const urls: unknown[] = [];
    const mixes: string[] = [];
    await client.publish((status, data) => status === 'READY' && urls.push(data.url));
    await client.subscribeMixedAudio((url) => mixes.push(url));
    events = [];
    gateway.room = { ...gateway.room, rtmptoken: 'tok2', rtmphost: 'other.test' };
    phone.cutSockets();
    await until('new address', () => urls.length === 2);
    expect(urls[1]).toBe('rtmp://other.test/?rtmptoken=tok2&playerid=me');
    expect(mixes).toEqual(['rtmp://rtmp.test:1935/?rtmptoken=tok1&mix=audio', 'rtmp://other.test/?rtmptoken=tok2&mix=audio']);
    expect(names()).toEqual(['RECONNECTING', 'RECONNECTED', 'user-unpublished', 'user-published']);
    expect(await client.subscribe({ audioTrack: client.getRemoteUser('ann')!.getAudioTracks()[0]! })).toContain('tok2');
  });

  it('comes back at once when the network does', async () => {
    sdk.default.setConfig({ reconnectPolicy: { nextDelay: () => 60_000 } });
    phone.goOffline();
    await until('away', () => names().includes('RECONNECTING'));
    phone.goOnline();
    await until('back', () => names().includes('RECONNECTED'));
    sdk.default.setConfig({ reconnectPolicy: undefined as never });
  });

  it('collects figures of the components', async () => {
    const QNRTC = sdk.default;
    QNRTC.updatePusherStateChange({ detail: { code: 1002 } });
    QNRTC.updatePusherNetStatus({ detail: { info: { videoBitrate: 300, audioBitrate: 48, videoFPS: 15, videoWidth: 320, videoHeight: 240, constructor: 1 } } });
    QNRTC.updatePlayerStateChange({ detail: { code: 2004 }, currentTarget: { id: 'p1' } });
    QNRTC.updatePlayerNetStatus({ detail: { info: { videoCache: 120, netJitter: 3 } }, currentTarget: { id: 'p1' } });
    QNRTC.updatePlayerNetStatus({} as Sdk.MediaEvent);
    const stats = await client.getStats();
    expect(stats.publisher).toMatchObject({ stateCode: 1002, videoBitrateBps: 300_000, audioBitrateBps: 48_000, videoFps: 15, videoWidth: 320 });
    expect(stats.players.p1).toMatchObject({ stateCode: 2004, videoCacheMs: 120, networkJitterMs: 3 });
    for (let i = 0; i < 200; ++i) QNRTC.updatePlayerNetStatus({ detail: { info: {} }, currentTarget: { id: `x${i}` } });
    expect(Object.keys((await client.getStats()).players).length).toBeLessThanOrEqual(64);
  });

  it('does not let a listener’s error stop the others', async () => {
    const seen: string[] = [];
    client.on('user-joined', () => { throw new Error('mine'); });
    client.on('user-joined', (id) => seen.push(id));
    gateway.say('on-player-in', { playerid: 'bob', playerdata: '' });
    await until('bob', () => seen.length);
  });
});

describe('refusals', () => {
  it('want a server first', async () => {
    const other = new Phone().load(dist) as typeof Sdk;
    expect((await failure(other.default.createClient().join(roomToken('me')))).code).toBe(10053);
    expect(() => other.default.setConfig({ server: 'http://x' })).toThrow(/wss/);
    expect(() => other.default.setConfig({ transport: 'webrtc' as never })).toThrow(/rtmp or flv/);
  });
  it.each([[10001, 'TokenError'], [10011, 'ServerError']])('carry the server’s code %i', async (code, name) => {
    gateway.refuse = { auth: { code, error: 'no' } };
    expect(await failure(client.join(roomToken('me')))).toMatchObject({ code, name, message: 'no' });
    expect(events.at(-1)).toEqual(['connection-state-changed', 'DISCONNECTED', { reason: 'ERROR', errorCode: code, errorMessage: 'no' }]);
  });
  it('report a socket domain that is not allowed', async () => {
    const strict = new Phone({ domains: { socket: ['wss://allowed.test'] } });
    const other = strict.load(dist) as typeof Sdk;
    other.default.setLogLevel(other.QNLogLevel.NONE);
    other.default.setConfig({ server: 'wss://other.test/', reconnectPolicy: { nextDelay: ({ attempt }) => (attempt < 2 ? 1 : undefined) } });
    expect((await failure(other.default.createClient().join(roomToken('me')))).code).toBe(21001);
    strict.off();
  });
  it('an unreadable token never reaches the network', async () => {
    expect((await failure(client.join('nonsense'))).code).toBe(21005);
    expect(gateway.peers).toEqual([]);
  });
});

describe('resuming by itself', () => {
  it('starts the pusher and a player again after they gave up, not in the background, and not after leaving', async () => {
    await client.join(roomToken('me'));
    const calls: string[] = [];
    const context = (name: string) => ({ start: () => calls.push(`${name}.start`), play: () => calls.push(`${name}.play`), stop: () => calls.push(`${name}.stop`), resume: () => calls.push(`${name}.resume`) });
    phone.wx.createLivePusherContext = () => context('pusher');
    phone.wx.createLivePlayerContext = (id: string) => context(id);
    const QNRTC = sdk.default;
    const statuses: string[] = [];
    await client.publish((status) => statuses.push(status));
    QNRTC.updatePlayerStateChange({ detail: { code: 2004 }, currentTarget: { id: 'p1' } });
    phone.background();
    QNRTC.updatePusherStateChange({ detail: { code: -1307, message: 'lost' } });
    QNRTC.updatePlayerStateChange({ detail: { code: -2301 }, currentTarget: { id: 'p1' } });
    expect(calls).toEqual([]);
    phone.foreground();
    expect(calls).toEqual(['pusher.stop', 'pusher.start', 'p1.stop', 'p1.play']);
    expect(statuses).toEqual(['READY', 'ERROR']);
    phone.interrupt();
    phone.endInterruption();
    expect(calls.slice(4)).toEqual(['pusher.resume', 'p1.resume']);
    QNRTC.updatePusherStateChange({ detail: { code: -1307 } });
    await until('started again in the foreground', () => calls.slice(6).includes('pusher.start'));
    QNRTC.updatePusherStateChange({ detail: { code: -1307 } });
    await client.leave();
    const after = calls.length;
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(calls.length).toBe(after);
  });
});
