// Calls between browsers through qnweb-rtc 4.3.2. Numbers are those of the conformance checklist.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { account, makeToken } from '../lib/tokens.mjs';
import { openStage } from '../lib/stage.mjs';

export const setup = () => openStage();
export { closeStage as teardown } from '../lib/stage.mjs';

const NTP_EPOCH_MS = -Date.UTC(1900, 0, 1);

const close = (...members) => Promise.all(members.map((m) => m.close()));

export const tests = {
  async 'S49 S65 two members see and hear each other, and one leaves'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice', { userData: 'Alice' });
    const b = await join(t, room, 'bob', { userData: 'Bob' });
    assert.equal((await a.waitEvent('user-joined')).userData, 'Bob');
    assert.deepEqual((await b.call('users')).map((u) => [u.userID, u.userData]), [['alice', 'Alice']]);
    await publishBoth(a);
    await publishBoth(b);
    await Promise.all([a.waitMedia({ videos: 1, audios: 1 }), b.waitMedia({ videos: 1, audios: 1 })]);
    await a.call('leave');
    await b.waitEvent('user-left', (e) => e.userID === 'alice');
    const left = await b.events();
    const removed = left.findIndex((e) => e.name === 'user-unpublished');
    assert.ok(removed >= 0 && removed < left.findIndex((e) => e.name === 'user-left'), 'tracks go before their user');
    await close(a, b);
  },

  async 'S13 a bad token is refused with 10001, an expired one with 10002'(t) {
    const context = await t.browser.newContext();
    const page = await context.newPage();
    await page.goto(`${t.pages.origin}/web4`);
    const attempt = (token) => page.evaluate(async (o) => {
      try {
        await window.member.join(o);
        return { joined: true };
      } catch (error) {
        return { code: error.code, state: window.member.events().filter((e) => e.name === 'state').at(-1) };
      }
    }, { token, host: t.server.origin });
    const good = await t.server.token('refusals', 'user1');
    const parts = good.split(':');
    const changed = await attempt(`${parts[0]}:${parts[1].replace(/^./, (c) => (c === 'A' ? 'B' : 'A'))}:${parts[2]}`);
    assert.equal(changed.code, 21003);
    assert.equal(changed.state.info.errorCode, 10001);
    const late = await attempt(makeToken(account(t.server), { room: 'refusals', user: 'user1', expiresIn: -60 }));
    assert.equal(late.code, 21003);
    assert.equal(late.state.info.errorCode, 10002);
    await context.close();
  },

  async 'S51 S52 S53 tracks come and go on one connection, also on reused sections'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    await a.call('create', 'mic', 'microphone');
    await a.call('publish', 'mic');
    await b.waitMedia({ audios: 1 });
    await a.call('create', 'cam', 'camera', { encoderConfig: '480p' });
    const [first] = await a.call('publish', 'cam');
    await b.waitMedia({ videos: 1, audios: 1 });
    await a.call('unpublish', 'cam');
    await b.waitEvent('user-unpublished', (e) => e.tracks.includes(first));
    await a.call('create', 'cam2', 'camera', { encoderConfig: '360p' });
    const [second] = await a.call('publish', 'cam2');
    await until('frames of the second camera', () => b.call('probe'), (p) => p[second]?.frames > 10);
    await a.waitEvent('state', (e) => e.state === 'CONNECTED');
    await close(a, b);
  },

  async 'S67 unsubscribing stops packets, subscribing again brings them back'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    const [mic, cam] = await publishBoth(a);
    await b.waitMedia({ videos: 1, audios: 1 });
    await b.call('unsubscribe', [cam]);
    // The section is inactive in the browser: only the server's own count tells whether packets still leave.
    const received = async () => (await b.stats({ type: 'transport' })).reduce((n, s) => n + s.packetsReceived, 0);
    const before = await received();
    await delay(2000);
    // Audio alone is 50 packets a second; with 15 pictures a second there would be twice as many.
    const rate = ((await received()) - before) / 2;
    assert.ok(rate < 75, `${rate} packets a second after unsubscribing`);
    await b.call('subscribe', [cam]);
    await b.waitMoreFrames(cam, 10);
    assert.ok((await b.call('probe'))[mic].peak > 0, 'audio was not touched');
    await close(a, b);
  },

  async 'S44 muting is seen by the others and by those who come later'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    const [mic, cam] = await publishBoth(a);
    await b.waitMedia({ videos: 1, audios: 1 });
    await a.call('setMuted', 'mic', true);
    assert.equal((await b.waitEvent('mute', (e) => e.trackID === mic && e.muted)).userID, 'alice');
    const c = await join(t, room, 'carol');
    const told = (await c.wire('auth-res'))[0].tracks;
    assert.deepEqual([mic, cam].map((id) => told.find((x) => x.trackid === id).muted), [true, false]);
    const shown = async () => (await c.call('users')).find((u) => u.userID === 'alice').tracks;
    await until('carol sees the mute', shown, (l) => [mic, cam].map((id) => l.find((x) => x.id === id)?.muted).join() === 'true,false');
    await a.call('setMuted', 'mic', false);
    await b.waitEvent('mute', (e) => e.trackID === mic && !e.muted);
    await close(a, b, c);
  },

  async 'S41 S42 messages reach everybody, or their targets, and never the sender'(t) {
    const room = uniqueRoom();
    const [a, b, c] = [await join(t, room, 'alice'), await join(t, room, 'bob'), await join(t, room, 'carol')];
    await a.call('send', 'm1', 'to all');
    for (const m of [b, c]) {
      const { m: got } = await m.waitEvent('message', (e) => e.m.ID === 'm1');
      assert.equal(got.userID, 'alice');
      assert.equal(got.content, 'to all');
      assert.ok(Math.abs(got.timestamp - Date.now()) < 60_000, 'milliseconds since the epoch');
    }
    await a.call('send', 'm2', 'to bob', ['bob']);
    await b.waitEvent('message', (e) => e.m.ID === 'm2');
    await a.call('send', 'm3', 'end');
    await c.waitEvent('message', (e) => e.m.ID === 'm3');
    assert.deepEqual((await c.events('message')).map((e) => e.m.ID), ['m1', 'm3']);
    assert.deepEqual(await a.events('message'), []);
    await close(a, b, c);
  },

  async 'S39 S40 an admin kicks; a user may not'(t) {
    const room = uniqueRoom();
    const boss = await join(t, room, 'boss', { admin: true });
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    const kick = (m, user) => m.page.evaluate(async (u) => {
      const core = window.client.core ?? Object.values(window.client).find((v) => v && typeof v.kickoutUser === 'function');
      try {
        await core.kickoutUser(u);
        return 0;
      } catch (error) {
        return error.code;
      }
    }, user);
    assert.equal(await kick(a, 'bob'), 10051);
    assert.equal(await kick(boss, 'bob'), 0);
    const end = await b.waitEvent('state', (e) => e.state === 'DISCONNECTED');
    assert.equal(end.info.reason, 'KICKED_OUT');
    await a.waitEvent('user-left', (e) => e.userID === 'bob');
    await close(boss, a, b);
  },

  async 'S35 the same user twice: the newer one stays'(t) {
    const room = uniqueRoom();
    const watcher = await join(t, room, 'watcher');
    const first = await join(t, room, 'twin');
    await publishBoth(first);
    await watcher.waitMedia({ videos: 1, audios: 1 });
    const second = await join(t, room, 'twin');
    const end = await first.waitEvent('state', (e) => e.state === 'DISCONNECTED');
    assert.equal(end.info.errorCode, 10022);
    await until('one twin, no tracks', () => watcher.call('users'), (u) => u.length === 1 && u[0].tracks.length === 0);
    await publishBoth(second);
    await until('tracks of the second', () => watcher.call('users'), (u) => u[0]?.tracks.length === 2);
    await close(watcher, first, second);
  },

  async 'S75 S76 simulcast: the receiver switches layers and the picture changes size'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    await a.call('create', 'cam', 'camera', {
      encoderConfig: { width: 640, height: 480, frameRate: 15, bitrate: 900, lowStreamConfig: { bitrate: 150, scaleResolutionDownBy: 4 } },
    });
    const [cam] = await a.call('publish', 'cam');
    const width = async () => (await b.call('probe'))[cam]?.width;
    await until('full size', width, (w) => w === 640, 30_000);
    await b.call('setLowStream', cam, true);
    await until('quarter size', width, (w) => w === 160, 30_000);
    await b.waitMoreFrames(cam, 10);
    await b.call('setLowStream', cam, false);
    await until('full size again', width, (w) => w === 640, 30_000);
    await close(a, b);
  },

  async 'screen and camera of one member at once'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    await publishBoth(a);
    await a.call('create', 'screen', 'screen', { encoderConfig: '720p' });
    const [screen] = await a.call('publish', 'screen');
    const published = await b.waitEvent('user-published', (e) => e.tracks.some((x) => x.id === screen));
    assert.equal(published.tracks[0].tag, 'screen');
    await b.waitMedia({ videos: 2, audios: 1, frames: 3 });
    await close(a, b);
  },

  async 'S77 forceTcp sends all media over ICE-TCP'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice', { join: { config: { transportPolicy: 'forceTcp' } } });
    const b = await join(t, room, 'bob', { join: { config: { transportPolicy: 'forceTcp' } } });
    await publishBoth(a);
    await b.waitMedia({ videos: 1, audios: 1 });
    for (const m of [a, b]) {
      const used = await m.stats({ type: 'remote-candidate' });
      assert.ok(used.length > 0 && used.every((c) => c.protocol === 'tcp'), JSON.stringify(used));
    }
    await close(a, b);
  },

  async 'S56 S57 the sender follows the bitrate that its track asks for'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    await a.call('create', 'big', 'noise', { bitrate: 1500 });
    await a.call('publish', 'big');
    await b.waitMedia({ videos: 1 });
    const rate = async () => {
      const read = async () => (await a.stats({ type: 'outbound-rtp', kind: 'video' })).reduce((n, s) => n + s.bytesSent, 0);
      const before = await read();
      await delay(2000);
      return ((await read()) - before) * 8 / 2;
    };
    await until('more than 600 kb/s', rate, (r) => r > 600_000, 20_000);
    await a.call('unpublish', 'big');
    await a.call('create', 'small', 'noise', { bitrate: 200 });
    await a.call('publish', 'small');
    await b.waitMedia({ videos: 1 });
    await until('settles', rate, (r) => r > 50_000 && r <= 1.2 * 200_000, 30_000);
    const settled = await rate();
    assert.ok(settled <= 1.2 * 200_000, `stays at ${settled} b/s`);
    await close(a, b);
  },

  async 'S80 S81 a cut signalling socket does not interrupt media'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    const [, cam] = await publishBoth(a);
    await publishBoth(b);
    await Promise.all([a.waitMedia({ videos: 1, audios: 1 }), b.waitMedia({ videos: 1, audios: 1 })]);
    const connections = () => b.page.evaluate(() => window.peerConnections.map((pc) => pc.connectionState));
    const before = await connections();
    const mids = async () => (await b.page.evaluate(() => window.wire.filter((w) => w.name === 'auth-res').at(-1).body.tracks)).map((x) => [x.trackid, x.mid, x.versionid]);
    // Cuts the socket, and refuses new ones for five seconds.
    await b.page.evaluate(() => {
      window.networkCut = true;
      setTimeout(() => { window.networkCut = false; }, 5000);
      window.sockets.at(-1).close();
    });
    await a.waitEvent('user-reconnecting', (e) => e.userID === 'bob');
    await a.call('send', 'while-away', 'missed?');
    await a.call('setMuted', 'mic', true);
    const packets = async () => (await b.stats({ type: 'inbound-rtp' })).reduce((n, s) => n + s.packetsReceived, 0);
    let last = await packets();
    while (await b.page.evaluate(() => window.networkCut)) {
      await delay(1000);
      const next = await packets();
      assert.ok(next > last, 'media stands still while the signalling is away');
      last = next;
    }
    await b.waitEvent('state', (e) => e.state === 'RECONNECTED', 40_000);
    await a.waitEvent('user-reconnected', (e) => e.userID === 'bob');
    await b.waitEvent('message', (e) => e.m.ID === 'while-away');
    await b.waitEvent('mute', (e) => e.muted);
    assert.deepEqual(await a.events('user-left'), []);
    assert.deepEqual(await b.events('user-unpublished'), []);
    assert.equal((await b.events('message')).length, 1, 'once');
    await b.waitMoreFrames(cam, 10);
    assert.deepEqual(await connections(), before, 'the same peer connections');
    assert.equal(await b.page.evaluate(() => window.wire.filter((w) => ['pubpc', 'subpc'].includes(w.name)).length), 2);
    assert.equal((await mids()).length, 2);
    await close(a, b);
  },

  async 'sound and picture of one member are played in step'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    await publishBoth(a);
    await b.waitMedia({ videos: 1, audios: 1 });
    // When what plays now was captured: the publisher's clock (this machine's) as the server's reports tell it.
    const played = async () => {
      const stats = await b.stats({ type: 'inbound-rtp' });
      const age = (kind) => {
        const of = stats.find((s) => s.kind === kind);
        return of.timestamp - (of.estimatedPlayoutTimestamp - NTP_EPOCH_MS);
      };
      return { audio: age('audio'), video: age('video') };
    };
    const inStep = ({ audio, video }) => Math.abs(audio - video) < 40 && audio > 0 && video > 0;
    await until('lip-sync within 40 ms', played, inStep, 60_000);
    await close(a, b);
  },

  async 'S95 an audience in LIVE mode subscribes and may not publish'(t) {
    const room = uniqueRoom();
    const host = await join(t, room, 'host', { join: { mode: 'LIVE', role: 'BROADCASTER' } });
    const viewer = await join(t, room, 'viewer', { join: { mode: 'LIVE', role: 'AUDIENCE' } });
    await publishBoth(host);
    await viewer.waitMedia({ videos: 1, audios: 1 });
    await assert.rejects(publishBoth(viewer));
    await close(host, viewer);
  },

  async 'S59 an ICE restart keeps media going without a new connection'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    const [, cam] = await publishBoth(a);
    await b.waitMedia({ videos: 1, audios: 1 });
    for (const [m, name, first] of [[a, 'pubpc', 'on-pubpc-restart-notify'], [b, 'subpc', 'on-subpc-restart-notify']]) {
      const answer = `${name}-restart-res`;
      const pcid = (await m.wire(`${name}-res`))[0].pcid;
      const ufrag = () => m.page.evaluate(() => window.peerConnections.map((pc) => /a=ice-ufrag:(.*)/.exec(pc.remoteDescription?.sdp)?.[1]));
      const before = await ufrag();
      await m.page.evaluate(([n, id]) => window.hear(n, { pcid: id, error: '' }), [first, pcid]);
      const [restarted] = await until(answer, () => m.wire(answer), (l) => l.length > 0);
      assert.equal(restarted.code, 0);
      await until('the new credentials are in use', ufrag, (u) => u.includes(restarted.iceParameters.usernameFragment));
      await until('connected', () => m.page.evaluate(() => window.peerConnections.map((pc) => pc.iceConnectionState)), (s) => s.filter((x) => ['connected', 'completed'].includes(x)).length === 1);
      await b.waitMoreFrames(cam, 15);
      assert.equal((await ufrag()).length, before.length, 'no new peer connection');
      assert.equal((await m.wire(name)).length, 1, `no new ${name}`);
    }
    await close(a, b);
  },
};
