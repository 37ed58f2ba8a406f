// Mini programs and browsers in one room: parley-wxapp on made phones, qnweb-rtc in Chromium. Pictures carry a time code and sounds a
// tone, so that each side knows whom it sees and hears, and that it is live.
import assert from 'node:assert/strict';
import { until } from '../lib/browser.mjs';
import { join, uniqueRoom } from '../lib/members.mjs';
import { browserEyes, miniPrograms, WxMember } from '../lib/wxapp.mjs';
import { openStage } from '../lib/stage.mjs';

export async function setup() {
  const { codecProcesses } = await miniPrograms();
  return { codecProcesses, ...(await openStage()) };
}

export { closeStage as teardown } from '../lib/stage.mjs';

async function web(t, room, userID, source, { audioOnly = false, camera, ...options } = {}) {
  const member = await join(t, room, userID, { kind: 'stamped', ...options });
  await member.page.evaluate(([s, c]) => window.stamp.use(s, c), [source, camera]);
  await member.call('create', 'mic', 'microphone');
  if (!audioOnly) await member.call('create', 'cam', 'camera', { encoderConfig: { width: 320, height: 240, frameRate: 15, bitrate: 400 } });
  await member.call('publish', ...(audioOnly ? ['mic'] : ['mic', 'cam']));
  return Object.assign(member, { source, eyes: browserEyes(member) });
}
/// For rooms with many pictures: all of them are coded and decoded on this machine.
const SMALL = { width: 160, height: 120, fps: 8, kbps: 100 };
const wx = (t, room, userID, source, { phone, ...options } = {}) => new WxMember(t.server, userID, source, phone).join(room, options);
const close = (...members) => Promise.all(members.map((m) => m.close()));

/// Everybody sees and hears everybody else; each looks at one after the other, as people do.
const all = (...members) => Promise.all(members.map(async (a) => {
  const senses = a.eyes ?? a;
  for (const b of members) {
    if (b === a) continue;
    await senses.sees(b.userID, b.source, 60_000);
    await senses.hears(b.userID, b.source, 60_000);
  }
}));

export const tests = {
  async 'a browser and a mini program see and hear each other, size changes included'(t) {
    const room = uniqueRoom('wx');
    const a = await web(t, room, 'alice', 1);
    const m = await wx(t, room, 'ming', 2);
    await all(a, m);
    assert.deepEqual(m.publishing, ['READY', 'COMPLETED']);
    assert.deepEqual(m.client.localTracks.map((x) => x.kind).sort(), ['audio', 'video']);
    assert.equal(m.player('alice').backwards, 0);
    const stats = await until('figures', () => m.client.getStats(), (s) => s.publisher?.videoBitrateBps > 0 && s.players['player-alice']?.videoBitrateBps > 0);
    assert.equal(stats.publisher.videoWidth, 320);
    m.pusher.switchCamera();
    await until('the other shape', () => a.eyes.see('ming'), (s) => s?.width === 240 && s.height === 320);
    await a.eyes.sees('ming', 2);
    await close(a, m);
    await until('no codec left', () => t.codecProcesses(), (n) => n === 0);
  },

  async 'sound alone, both ways'(t) {
    const room = uniqueRoom('wx');
    const a = await web(t, room, 'alice', 3, { audioOnly: true });
    const m = await wx(t, room, 'ming', 4, { audioOnly: true });
    await Promise.all([a.eyes.hears('ming', 4), m.hears('alice', 3)]);
    assert.deepEqual(m.client.localTracks.map((x) => x.kind), ['audio']);
    assert.equal(m.player('alice').pictureCount, 0);
    await close(a, m);
  },

  async 'mute each way, and messages'(t) {
    const room = uniqueRoom('wx');
    const a = await web(t, room, 'alice', 5);
    const m = await wx(t, room, 'ming', 6);
    await all(a, m);
    const mic = m.client.localTracks.find((x) => x.isAudio());
    await mic.setMuted(true);
    m.pusher.set({ muted: true });
    await a.waitEvent('mute', (e) => e.trackID === mic.trackID && e.muted);
    await until('silence at alice', () => a.eyes.hear('ming'), (s) => s === undefined);
    await a.call('setMuted', 'mic', true);
    await until('mute told', () => m.client.getRemoteUser('alice').getAudioTracks()[0].isMuted());
    await until('silence at ming', () => m.player('alice').hearTone(), (s) => s === undefined);
    await mic.setMuted(false);
    m.pusher.set({ muted: false });
    await a.call('setMuted', 'mic', false);
    await Promise.all([a.eyes.hears('ming', 6), m.hears('alice', 5)]);
    await m.client.sendMessage('m1', '你好');
    assert.equal((await a.waitEvent('message')).m.content, '你好');
    await a.call('send', 'm2', 'hello', ['ming']);
    await until('message at ming', () => m.events.find(([name, e]) => name === 'message-received' && e.content === 'hello'));
    await close(a, m);
  },

  async 'background and return, a phone call, a lost network'(t) {
    const room = uniqueRoom('wx');
    const a = await web(t, room, 'alice', 7);
    const m = await wx(t, room, 'ming', 8, { phone: { backgroundDropMs: 1500 } });
    await all(a, m);
    m.phone.background();
    await until('dropped', () => !m.pusher.isPushing);
    m.phone.foreground();
    await Promise.all([a.eyes.sees('ming', 8), m.sees('alice', 7)]);
    m.phone.interrupt();
    await until('silence during the call', () => a.eyes.hear('ming'), (s) => s === undefined);
    m.phone.endInterruption();
    await Promise.all([a.eyes.hears('ming', 8), m.hears('alice', 7)]);
    m.phone.goOffline();
    await until('away', () => m.states().includes('RECONNECTING'));
    m.phone.goOnline();
    await until('back', () => m.states().at(-1) === 'RECONNECTED');
    await all(a, m);
    await close(a, m);
  },

  async 'the signalling socket is cut and back within 3 s; media never stops'(t) {
    const room = uniqueRoom('wx');
    const a = await web(t, room, 'alice', 9);
    const m = await wx(t, room, 'ming', 10);
    await all(a, m);
    const before = { pushes: m.pusher.connectionCount, plays: m.player('alice').connectionCount };
    const cut = Date.now();
    m.phone.cutSockets();
    await until('back', () => m.states().at(-1) === 'RECONNECTED');
    assert.ok(Date.now() - cut < 3000);
    await all(a, m);
    assert.deepEqual({ pushes: m.pusher.connectionCount, plays: m.player('alice').connectionCount }, before);
    assert.deepEqual((await a.events('user-unpublished')).length + (await a.events('user-left')).length, 0);
    await close(a, m);
  },

  async 'kick and leave'(t) {
    const room = uniqueRoom('wx');
    const a = await web(t, room, 'alice', 11);
    const chief = await wx(t, room, 'chief', 12, { admin: true, publish: false });
    const m = await wx(t, room, 'ming', 13);
    await chief.sees('ming', 13);
    await chief.client.runner.request('control', { command: 'kickplayer', playerid: 'ming' });
    await until('kicked', () => m.events.find(([name, state, info]) => name === 'connection-state-changed' && state === 'DISCONNECTED' && info.reason === 'KICKED_OUT' && info.errorCode === 10006));
    await a.waitEvent('user-left', (e) => e.userID === 'ming');
    await until('player gone', () => !chief.player('ming'));
    await until('the push is cut', () => m.pusher.codes.some((c) => c === 3004 || c === 3005));
    await chief.client.leave();
    await a.waitEvent('user-left', (e) => e.userID === 'chief');
    await close(a, chief, m);
  },

  async 'the sound of a room in one address: who comes and goes is heard, one’s own never'(t) {
    const room = uniqueRoom('wx');
    const [a, b] = [await web(t, room, 'alice', 1, { audioOnly: true }), await web(t, room, 'bob', 5, { audioOnly: true })];
    const m = await wx(t, room, 'ming', 9, { audioOnly: true });
    let url = '';
    await m.client.subscribeMixedAudio((fresh) => { url = fresh; });
    const ears = m.phone.createPlayer({ src: url, autoplay: true, mode: 'RTC' }, 'ears');
    await until('the push is heard', () => a.eyes.hear('ming'), (s) => s === 9);
    const hears = (...sources) => until(`ming hears ${sources}`, () => ears.hearTones(), (now) => now.join() === sources.join());
    await hears(1, 5);
    const { connectionCount } = ears;
    await a.call('setMuted', 'mic', true);
    await hears(5);
    await a.call('setMuted', 'mic', false);
    await hears(1, 5);
    await close(b);
    await hears(1);
    const c = await wx(t, room, 'chen', 13, { audioOnly: true });
    await hears(1, 13);
    await close(a, c);
    await hears();
    assert.deepEqual([ears.connectionCount, ears.backwards], [connectionCount, 0]);
    // Another's session, and a session that is over.
    assert.equal((await fetch(`${t.server.origin}/rtc.flv?rtmptoken=nobody&mix=audio`)).status, 404);
    await m.client.leave();
    await until('the mix ends', () => ears.codes.some((code) => code < 0 || (code >= 3001 && code <= 3005)));
    const flv = `${t.server.origin}/rtc.flv${url.slice(url.indexOf('?'))}`;
    assert.equal((await fetch(flv)).status, 404);
    m.phone.off();
    await until('no codec left', () => t.codecProcesses(), (n) => n === 0);
  },

  // Every stream is coded and decoded on this machine: two and two by default, PARLEY_EACH=3 where nothing else runs.
  async 'browsers and as many mini programs, everybody with everybody'(t) {
    const room = uniqueRoom('wx');
    const each = Number(process.env.PARLEY_EACH ?? 2);
    const members = [];
    // One after the other: decoders that all start in one moment are no test of a server.
    for (let n = 1; n <= each; ++n) members.push(await web(t, room, `web${n}`, n, { camera: SMALL }));
    for (let n = each + 1; n <= 2 * each; ++n) {
      const phone = await wx(t, room, `wx${n}`, n, { phone: { camera: SMALL } });
      members.push(phone);
      await until(`${phone.userID} publishes`, () => phone.publishing.includes('COMPLETED'), Boolean, 60_000);
    }
    await all(...members);
    await close(...members);
  },

  async 'the server restarts; everybody is back with media'(t) {
    const room = uniqueRoom('wx');
    const a = await web(t, room, 'alice', 14);
    const m = await wx(t, room, 'ming', 15);
    await all(a, m);
    await t.server.stop('SIGKILL');
    await until('noticed', () => m.states().includes('RECONNECTING'));
    await t.server.start();
    await until('back', () => m.states().at(-1) === 'RECONNECTED', Boolean, 40_000);
    await all(a, m);
    await close(a, m);
  },
};
