// Calls over a network that we own and may break; and Firefox, which does not pair with loopback addresses.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { launchFirefox, until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { countUdp, heal, lose, makeNetwork, uncount } from '../lib/network.mjs';
import { openStage } from '../lib/stage.mjs';
import { account } from '../lib/tokens.mjs';
import { buildPages } from '../lib/web_pages.mjs';
import { X1 } from '../lib/x1.mjs';

export const namespace = true;

export async function setup() {
  makeNetwork();
  return openStage();
}

export { closeStage as teardown } from '../lib/stage.mjs';

export async function afterEach() {
  heal();
  uncount();
}

export async function cleanUp({ browser }) {
  heal();
  await Promise.all(browser.contexts().map((c) => c.close().catch(() => {})));
}

const close = (...members) => Promise.all(members.map((m) => m.close()));
const sum = (list, field) => list.reduce((n, s) => n + (s[field] ?? 0), 0);

/// Two members who send and receive, as `options` say.
async function call(t, options = {}) {
  const room = uniqueRoom('net');
  const a = await join(t, room, 'alice', options);
  const b = await join(t, room, 'bob', options);
  const [, camera] = await publishBoth(a);
  await publishBoth(b);
  await Promise.all([a.waitMedia({ videos: 1, audios: 1, timeoutMs: 40_000 }), b.waitMedia({ videos: 1, audios: 1, timeoutMs: 40_000 })]);
  return { room, a, b, camera };
}

/// The remote end of every connection that carries media now.
async function remoteEnds(member) {
  const all = await member.stats();
  const used = all.filter((s) => s.type === 'transport' && s.selectedCandidatePairId).map((s) => all.find((p) => p.id === s.selectedCandidatePairId && p.pc === s.pc));
  return used.map((p) => all.find((c) => c.id === p.remoteCandidateId && c.pc === p.pc));
}

export const tests = {
  async 'Firefox and Chromium see and hear each other, in VP8'(t) {
    const firefox = await launchFirefox();
    try {
      const room = uniqueRoom('fox');
      const fox = await join({ ...t, browser: firefox }, room, 'fox', { userData: 'Fox' });
      const chrome = await join(t, room, 'chrome');
      await publishBoth(fox);
      await publishBoth(chrome);
      await Promise.all([fox.waitMedia({ videos: 1, timeoutMs: 60_000 }), chrome.waitMedia({ videos: 1, timeoutMs: 60_000 })]);
      // Without a sound device Firefox's WebAudio stands still, and with it the probe's analyser and what the
      // client library puts behind the microphone: Firefox sends silence, and hears by its own statistics.
      const heard = (m, field) => async () => sum(await m.stats({ type: 'inbound-rtp', kind: 'audio' }), field);
      await until('Firefox hears Chromium', heard(fox, 'totalAudioEnergy'), (n) => n > 0.01, 30_000);
      await until('Chromium gets audio of Firefox', heard(chrome, 'totalSamplesReceived'), (n) => n > 48_000, 30_000);
      assert.match((await chrome.wire('auth-res'))[0].rtpcaps.codecs[1].mimeType, /VP8/i);
      await chrome.call('send', 'm1', 'hello fox');
      await fox.waitEvent('message', (e) => e.m.content === 'hello fox');
      await fox.call('setMuted', 'cam', true);
      await chrome.waitEvent('mute', (e) => e.muted);
      await fox.call('unpublish', 'cam');
      await chrome.waitEvent('user-unpublished');
      await fox.call('leave');
      await chrome.waitEvent('user-left', (e) => e.userID === 'fox');
      await chrome.close();
    } finally {
      await firefox.close();
    }
  },

  async 'S58 five percent loss is repaired both ways'(t) {
    const { a, b, camera } = await call(t);
    const before = { server: await t.server.metrics(), frames: (await b.call('probe'))[camera].frames, at: Date.now() };
    const media = t.server.mediaPort;
    lose(`udp dport ${media} numgen random mod 100 < 5`, `udp sport ${media} numgen random mod 100 < 5`);
    const sent = async () => sum(await a.stats({ type: 'outbound-rtp', kind: 'video' }), 'retransmittedPacketsSent');
    const repaired = async () => sum(await b.stats({ type: 'inbound-rtp', kind: 'video' }), 'retransmittedPacketsReceived');
    await until('the publisher sends again what the server missed', sent, (n) => n >= 5, 40_000);
    await until('the viewer gets again what it missed', repaired, (n) => n >= 5, 40_000);
    await b.waitMoreFrames(camera, 60, 40_000);
    heal();
    const frames = (await b.call('probe'))[camera].frames - before.frames;
    const made = 15 * (Date.now() - before.at) / 1000;
    assert.ok(frames > made / 2, `${frames} of about ${made.toFixed(0)} pictures were shown`);
    await close(a, b);
  },

  async 'a lossy minute is in the history of quality, with the loss and whose it was'(t) {
    const room = uniqueRoom('bad');
    const alice = await join(t, room, 'alice');
    const bob = await join(t, room, 'bob');
    await alice.call('create', 'mic', 'microphone');
    await alice.call('publish', 'mic');
    await bob.waitMedia({ audios: 1 });
    const began = Date.now();
    lose(`udp dport ${t.server.mediaPort} numgen random mod 100 < 20`);
    const x1 = await X1.open(t.server, account(t.server));
    const values = { appId: 'demo', room };
    const history = () => x1.ok('getQuality', values);
    const lossOf = (answer, user) => (answer.members.find((m) => m.userId === user)?.points ?? []).filter((p) => p.upLossPercent > 5);
    const answer = await until('a point with loss', history, (a) => lossOf(a, 'alice').length > 0, 40_000);
    const ended = Date.now();
    for (const { at, upLossPercent } of lossOf(answer, 'alice')) {
      assert.ok(upLossPercent < 40, `${upLossPercent} % of 20`);
      assert.ok(Date.parse(at) > began && Date.parse(at) - 10_000 < ended, `${at} is when it was bad`);
    }
    assert.deepEqual(lossOf(answer, 'bob'), [], 'he sends nothing that could be lost');
    assert.deepEqual(answer.events.map((e) => e.event).filter((e) => e !== 'track_published'), ['room_created', 'user_joined', 'user_joined']);
    const live = (await x1.ok('getRoom', values)).members.find((m) => m.userId === 'alice').quality;
    assert.ok(live.upKbps > 0 && live.upLossPercent > 5, JSON.stringify(live));
    assert.deepEqual((await x1.ok('getQuality', values, { query: '?user=bob' })).members.map((m) => m.userId), ['bob']);
    await close(alice, bob);
  },

  async 'our call pages report pictures that stood still, and the history has them'(t) {
    buildPages();
    const room = uniqueRoom('frozen');
    const contexts = [];
    for (const name of ['Ada', 'Bob']) {
      const context = await t.browser.newContext({ permissions: ['camera', 'microphone'] });
      contexts.push(context);
      const page = await context.newPage();
      await page.goto(`${t.server.origin}/r/${room}`);
      await page.waitForSelector('#name');
      await page.fill('#name', name);
      await page.click('button[type=submit]');
    }
    const x1 = await X1.open(t.server, account(t.server));
    const values = { appId: 'demo', room };
    const receive = ({ status, body }) => status === 200 && body.members.length === 2 && body.members.every((m) => m.quality?.downKbps > 100);
    await until('both see each other', () => x1.call('getRoom', values), receive, 60_000);
    lose(`udp sport ${t.server.mediaPort}`);
    await delay(2_000);  // how long it is
    heal();
    const frozen = (q) => q.members.filter((m) => m.points.some((p) => p.freezes > 0 && p.freezeMs >= 1_000));
    await until('a freeze of both', () => x1.ok('getQuality', values), (q) => frozen(q).length === 2, 40_000);
    await Promise.all(contexts.map((c) => c.close()));
  },

  async 'usage is what the kernel counted, within a thousandth'(t) {
    const counted = countUdp(t.server.mediaPort);
    const began = Date.now();
    const { room, a, b, camera } = await call(t);
    await b.waitMoreFrames(camera, 150, 40_000);
    const talked = (Date.now() - began) / 60_000;
    // What is on its way when a member leaves is nobody's: let the way be empty.
    for (const m of [a, b]) for (const track of ['mic', 'cam']) await m.call('unpublish', track);
    await until('silence', async () => { const before = counted().out; await delay(300); return counted().out - before; }, (grown) => grown < 3_000);
    await close(a, b);
    const x1 = await X1.open(t.server, account(t.server));
    const usage = async (query) => (await x1.ok('getUsage', { appId: 'demo' }, { query: `?g=hour&room=${room}${query}` })).rows;
    const sumOf = (rows, field) => rows.reduce((n, row) => n + row[field], 0);
    const rows = await until('usage within a thousandth of the counters', () => usage('&by=user'), (list) => {
      const kernel = counted();
      return [['bytesIn', kernel.in], ['bytesOut', kernel.out]].every(([field, n]) => n > 100_000 && Math.abs(sumOf(list, field) / n - 1) < 0.001);
    }, 30_000);
    assert.deepEqual(rows.map((r) => r.userId).filter((u, i, all) => all.indexOf(u) === i), ['alice', 'bob']);
    for (const user of ['alice', 'bob']) {
      const own = rows.filter((r) => r.userId === user);
      const seen = own.reduce((n, r) => n + Object.values(r.videoMinutes).reduce((m, v) => m + v), 0);
      assert.ok(seen > 0.1 && seen <= talked && sumOf(own, 'audioMinutes') > 0.1, `${user} saw ${seen} min of ${talked}`);
    }
    const [ofRoom] = await usage('&by=room');
    assert.equal(ofRoom.peakUsers, 2);
  },

  async 'UDP is blocked: the call runs over TCP'(t) {
    lose(`udp dport ${t.server.mediaPort}`);
    const { a, b } = await call(t);
    for (const m of [a, b]) {
      const ends = await remoteEnds(m);
      assert.deepEqual(ends.map((e) => e.protocol), ['tcp', 'tcp']);
    }
    await close(a, b);
  },

  async 'UDP is blocked in the middle of a call: it goes on'(t) {
    const { a, b } = await call(t);
    assert.deepEqual((await remoteEnds(b)).map((e) => e.protocol), ['udp', 'udp']);
    lose(`udp dport ${t.server.mediaPort}`);
    await until('TCP is in use', () => remoteEnds(b), (ends) => ends.length > 0 && ends.every((e) => e?.protocol === 'tcp'), 60_000);
    // The client may have published again, and the picture has another track then.
    const frames = async () => Object.values(await b.call('probe')).find((p) => p.frames !== undefined)?.frames ?? 0;
    const before = await frames();
    await until('pictures again', frames, (n) => n > 0 && n !== before, 60_000);
    await b.waitMedia({ videos: 1, audios: 1, timeoutMs: 60_000 });
    await close(a, b);
  },

  async 'a call over IPv6'(t) {
    lose(`ip protocol udp udp dport ${t.server.mediaPort}`, `ip protocol tcp tcp dport ${t.server.mediaPort}`);
    const { a, b } = await call(t);
    for (const m of [a, b]) {
      const ends = await remoteEnds(m);
      assert.ok(ends.length === 2 && ends.every((e) => (e.address ?? e.ip).includes(':')), JSON.stringify(ends));
    }
    await close(a, b);
  },
};
