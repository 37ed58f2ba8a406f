// Calls between browsers through qnweb-rtc 4.3.2. Numbers are those of the conformance checklist.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { launchChromium, PageServer, until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { Server } from '../lib/server.mjs';

export async function setup() {
  const server = await new Server().start();
  const pages = await new PageServer().start();
  const browser = await launchChromium();
  return { server, pages, browser };
}

export async function teardown({ server, pages, browser }) {
  await browser.close();
  pages.stop();
  await server.stop();
}

const close = (...members) => Promise.all(members.map((m) => m.close()));

export const tests = {
  async 'S65 two members see and hear each other, and one leaves'(t) {
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
    const expired = t.server.cli('token', '--config', t.server.configFile, '--app', 'demo', '--room', 'refusals', '--user', 'user1', '--expires', '-60').trim();
    const late = await attempt(expired);
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
    const received = async () => (await b.stats({ type: 'inbound-rtp', kind: 'video' })).reduce((n, s) => n + s.packetsReceived, 0);
    await delay(500);
    const before = await received();
    await delay(1500);
    assert.ok((await received()) - before <= 2, 'no more video packets');
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
    const tracks = (await c.call('users'))[0].tracks;
    assert.equal(tracks.find((x) => x.id === mic).muted, true);
    assert.equal(tracks.find((x) => x.id === cam).muted, false);
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
    await a.call('create', 'cam', 'camera', { encoderConfig: { width: 1280, height: 720, frameRate: 30, bitrate: 1500 } });
    await a.call('publish', 'cam');
    await b.waitMedia({ videos: 1 });
    const rate = async () => {
      const read = async () => (await a.stats({ type: 'outbound-rtp', kind: 'video' })).reduce((n, s) => n + s.bytesSent, 0);
      const before = await read();
      await delay(2000);
      return ((await read()) - before) * 8 / 2;
    };
    await until('more than 600 kb/s', rate, (r) => r > 600_000, 20_000);
    await a.call('unpublish', 'cam');
    await a.call('create', 'small', 'camera', { encoderConfig: { width: 640, height: 480, frameRate: 30, bitrate: 200 } });
    await a.call('publish', 'small');
    await delay(6000);
    const settled = await rate();
    assert.ok(settled <= 1.2 * 200_000, `settles at ${settled} b/s`);
    await close(a, b);
  },

  async 'S80 S81 a cut signalling socket does not interrupt media'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    const [mic, cam] = await publishBoth(a);
    await b.waitMedia({ videos: 1, audios: 1 });
    // Cuts the socket as a dead network would, and keeps new ones from opening for five seconds.
    await b.page.evaluate(() => {
      const Real = window.WebSocket;
      window.WebSocket = class { constructor() { setTimeout(() => this.onclose?.({ code: 1006 }), 10); } addEventListener() {} close() {} send() {} };
      setTimeout(() => { window.WebSocket = Real; }, 5000);
      window.sockets.at(-1).close();
    });
    await a.waitEvent('user-reconnecting', (e) => e.userID === 'bob');
    const frames = [];
    for (let i = 0; i < 10; ++i) {
      frames.push((await b.call('probe'))[cam].frames);
      await delay(500);
    }
    for (let i = 1; i < frames.length; ++i) assert.ok(frames[i] > frames[i - 1], `frames stand still: ${frames}`);
    await a.call('send', 'while-away', 'missed?');
    await b.waitEvent('state', (e) => e.state === 'RECONNECTED', 30_000);
    await a.waitEvent('user-reconnected', (e) => e.userID === 'bob');
    await b.waitEvent('message', (e) => e.m.ID === 'while-away');
    assert.deepEqual((await a.events('user-left')), []);
    await b.waitMoreFrames(cam, 10);
    assert.ok((await b.call('probe'))[mic].peak > 0);
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
    const count = (m) => m.page.evaluate(() => window.peerConnections.length);
    const before = await count(a);
    // The server's own message, put into the client's socket handler.
    const pcid = await a.page.evaluate(() => window.lastPcid);
    if (pcid) {
      await a.page.evaluate((id) => window.sockets.at(-1).onmessage({ data: `on-pubpc-restart-notify=${JSON.stringify({ pcid: id, error: '' })}` }), pcid);
      await delay(2000);
      await b.waitMoreFrames(cam, 15);
      assert.equal(await count(a), before, 'no new peer connection');
    }
    await close(a, b);
  },
};
