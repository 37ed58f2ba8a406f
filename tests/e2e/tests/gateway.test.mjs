// Mini programs beside browsers: real RTMP by ffmpeg, a real browser at the other end.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import WebSocket from 'ws';
import { until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { checkStream, listen, MiniProgram, play, push, REORDERED, toneOf } from '../lib/mini_program.mjs';
import { firstPictureMs } from '../lib/rtmp_raw.mjs';
import { Server } from '../lib/server.mjs';
import { openStage } from '../lib/stage.mjs';

// Two workers, so that a connection accepted by one moves to that of its room.
export const setup = () => openStage({ workers: 2 });
export { closeStage as teardown } from '../lib/stage.mjs';

const kinds = (tracks) => tracks.map((t) => t.kind).sort();

/// `pili-rtc-wxapp` as it is published; of WeChat it needs a socket only.
function loadWx1() {
  globalThis.wx = {
    connectSocket({ url }) {
      const socket = new WebSocket(url);
      return {
        onOpen: (f) => socket.on('open', f),
        onClose: (f) => socket.on('close', (code) => f({ code })),
        onError: (f) => socket.on('error', f),
        onMessage: (f) => socket.on('message', (data) => f({ data: String(data) })),
        send: ({ data, success, fail }) => socket.send(data, (error) => (error ? fail(error) : success({}))),
        close: () => socket.close(1000),
        terminate: () => socket.terminate(),
      };
    },
  };
  return createRequire(import.meta.url)('pili-rtc-wxapp');
}

export const tests = {
  async 'pili-rtc-wxapp, unmodified: joins, publishes, plays, comes back, leaves'(t) {
    const room = uniqueRoom('wx1');
    const quiet = { log: console.log, info: console.info };
    console.log = console.info = () => {};
    try {
      const { RoomSession } = loadWx1();
      const web = await join(t, room, 'alice');
      await publishBoth(web);
      const session = new RoomSession({ server: `${t.server.origin.replace('http', 'ws')}/` });
      const events = [];
      for (const name of ['user-join', 'user-leave', 'track-add', 'track-remove', 'reconnecting', 'reconnected', 'disconnect', 'error']) {
        session.on(name, (data) => events.push({ name, data }));
      }
      const event = (name) => until(`WX1: ${name}`, () => events.find((e) => e.name === name));
      await session.joinRoomWithToken(await t.server.token(room, 'ann'));
      assert.deepEqual(session.users.map((u) => u.playerid), ['alice'], 'this client does not leave itself out');
      await until('tracks of alice', () => session.tracks.length === 2);
      checkStream(await play(session.subscribe('alice'), { seconds: 3 }));

      const pusher = push(session.publish());
      await web.waitEvent('user-published', (e) => e.userID === 'ann' && e.tracks.length === 2);
      await web.waitMedia({ videos: 1, audios: 1 });
      const token = session.rtmptoken;
      session.ws.ws.socketTask.terminate();
      await event('reconnected');
      assert.equal(session.rtmptoken, token);
      assert.ok(!pusher.ended);
      await web.call('leave');
      await event('user-leave');
      await event('track-remove');
      await session.leaveRoom();
      await until('the push ends', async () => pusher.ended, Boolean, 20_000);
      assert.ok(!events.some((e) => e.name === 'error'));
      await web.close();
    } finally {
      Object.assign(console, quiet);
    }
  },

  async 'S79 S111 a browser sees and hears a mini program, and again after a new publish'(t) {
    const room = uniqueRoom('wx');
    const web = await join(t, room, 'alice');
    const wx = await new MiniProgram(t.server, 'ann').join(room);
    const pusher = push(wx.publishUrl);
    const local = (await wx.wait('on-add-local-tracks')).body.tracks;
    assert.deepEqual(kinds(local), ['audio', 'video']);
    await web.waitMedia({ videos: 1, audios: 1 });
    const size = Object.values(await web.call('probe')).find((p) => p.width);
    assert.deepEqual([size.width, size.height], [320, 240]);

    await pusher.stop();
    await web.waitEvent('user-unpublished', (e) => e.tracks.length === 2);
    assert.equal((await wx.wait('on-remove-local-tracks')).body.tracks.length, 2);

    const again = push(wx.publishUrl, { audio: false });
    const renewed = (await wx.wait('on-add-local-tracks')).body.tracks;
    assert.deepEqual(kinds(renewed), ['video']);
    assert.ok(!local.some((track) => track.trackid === renewed[0].trackid), 'new ids');
    await web.waitMedia({ videos: 1 });
    await again.stop();
    wx.leave();
    await web.waitEvent('user-left', (e) => e.userID === 'ann');
    await web.close();
  },

  async 'reference B pictures: a browser sees every picture in its order, a player gets them as they are'(t) {
    const room = uniqueRoom('bframes');
    const ann = await new MiniProgram(t.server, 'ann').join(room);
    const bob = await new MiniProgram(t.server, 'bob').join(room);
    // Brighter with each picture, for 50 of them: one out of its order would be darker than the one before.
    const pusher = push(ann.publishUrl, { audio: false, gop: 60, encoder: REORDERED, source: "nullsrc=size=320x240:rate=15,geq=lum='20+4*mod(N,50)':cb=128:cr=128" });
    const { tracks } = (await bob.wait('on-add-tracks')).body;
    const conversions = async () => {
      const metrics = await t.server.metrics();
      return [1, 2].reduce((sum, w) => sum + metrics.get(`parley_rtmp_conversions{worker="${w}"}`), 0);
    };
    const played = await play(bob.playUrl(tracks));
    checkStream(played, { audio: false });
    assert.ok(played.streams[0].has_b_frames > 0);
    assert.equal(await conversions(), 0, 'nobody needs it otherwise');

    const web = await join(t, room, 'alice');
    await web.waitMedia({ videos: 1 });
    const seen = await web.page.evaluate(() => new Promise((resolve) => {
      const video = document.querySelector('video');
      const to = Object.assign(document.createElement('canvas'), { width: 1, height: 1 }).getContext('2d', { willReadFrequently: true });
      const levels = [];
      const look = () => {
        to.drawImage(video, 0, 0, 1, 1);
        levels.push(to.getImageData(0, 0, 1, 1).data[0]);
        if (levels.length < 60) video.requestVideoFrameCallback(look);
        else resolve(levels);
      };
      video.requestVideoFrameCallback(look);
    }));
    const steps = seen.slice(1).map((level, i) => level - seen[i]);
    const back = steps.filter((step) => step < -2);
    assert.ok(back.length <= 2 && back.every((step) => step < -60), `not in order: ${seen}`);
    assert.equal(await conversions(), 1);
    await web.call('leave');
    await until('the conversion ends with its viewer', conversions, (n) => n === 0, 10_000);
    await web.close();
    await pusher.stop();
    for (const one of [ann, bob]) one.leave();
  },

  async 'one URL with the sound of everybody: each is heard in one player, but not the listener himself'(t) {
    const room = uniqueRoom('mix');
    const tones = { ann: 500, bob: 900, cid: 1700 };
    const members = await Promise.all(Object.keys(tones).map((id) => new MiniProgram(t.server, id).join(room)));
    const [ann] = members;
    const pushers = members.map((member) => push(member.publishUrl, { video: false, tone: tones[member.userID] }));
    const own = (await ann.wait('on-add-local-tracks')).body.tracks;
    const others = [...(await ann.wait('on-add-tracks')).body.tracks, ...(await ann.wait('on-add-tracks')).body.tracks];
    const url = ann.playUrl([...own, ...others]).replace(/&playerid=.*/, '');
    const samples = await listen(url);
    const [quiet, ...heard] = Object.values(tones).map((hz) => toneOf(samples.subarray(-48_000), hz));
    assert.ok(samples.length > 96_000, `${samples.length} samples`);
    assert.ok(heard.every((level) => level > 0.03), `heard: ${heard}`);
    assert.ok(quiet < Math.min(...heard) / 20, `himself: ${quiet} of ${heard}`);
    const alone = await listen(ann.playUrl(own), { seconds: 2 });
    assert.ok(toneOf(alone.subarray(-24_000), tones.ann) > 0.03, 'asked for alone, he hears himself');
    await Promise.all(pushers.map((pusher) => pusher.stop()));
    for (const member of members) member.leave();
  },

  async 'a browser plays what odd encoders send'(t) {
    const room = uniqueRoom('odd');
    const web = await join(t, room, 'alice');
    const odd = [
      { size: '160x120', rate: '60000/1001', extra: ['-slices', '4', '-ar', '8000', '-ac', '1'] },
      { size: '90x162', rate: 8, extra: ['-profile:v', 'high', '-preset', 'veryfast', '-bsf:v', 'h264_metadata=aud=insert', '-ar', '22050'] },
      { video: false, extra: ['-ar', '16000', '-ac', '1'] },
    ];
    const phones = await Promise.all(odd.map((_, i) => new MiniProgram(t.server, `odd${i}`).join(room)));
    const pushers = phones.map((phone, i) => push(phone.publishUrl, odd[i]));
    await web.waitMedia({ videos: 2, audios: 3, timeoutMs: 60_000 });
    await Promise.all(pushers.map((p) => p.stop()));
    for (const phone of phones) phone.leave();
    await web.close();
  },

  async 'S113 S114 a mini program plays a browser: H.264 and AAC, picture and sound together or alone'(t) {
    const room = uniqueRoom('wx');
    const wx = await new MiniProgram(t.server, 'ann').join(room);
    const web = await join(t, room, 'alice');
    await publishBoth(web);
    const { tracks } = (await wx.wait('on-add-tracks')).body;
    assert.deepEqual(kinds(tracks), ['audio', 'video']);
    // A player that is the first: nothing is cached or converted for it yet. Then one that is not.
    for (const what of ['first', 'second']) {
      const tookMs = await firstPictureMs(t.server.rtmpPort, new URL(wx.flvUrl(tracks)).search);
      assert.ok(tookMs < 1500, `${what} player: first picture after ${tookMs} ms`);
    }
    const both = await play(wx.playUrl(tracks));
    checkStream(both);
    const sound = both.streams.find((s) => s.codec_name === 'aac');
    assert.deepEqual([sound.sample_rate, sound.channels], ['48000', 2]);
    const [video, audio] = ['video', 'audio'].map((k) => tracks.filter((x) => x.kind === k));
    const [alone, heard] = await Promise.all([play(wx.playUrl(video)), play(wx.playUrl(audio))]);
    checkStream(alone, { audio: false });
    checkStream(heard, { video: false });
    wx.leave();
    await web.close();
  },

  async 'a browser that sends VP8 is played as H.264 all the same'(t) {
    const server = await new Server({ config: '[app]\nvideo_codec = "vp8"' }).start();
    try {
      const room = uniqueRoom('vp8');
      const web = await join({ ...t, server }, room, 'alice');
      await publishBoth(web);
      assert.match((await web.wire('auth-res'))[0].rtpcaps.codecs[1].mimeType, /vp8/i);
      const wx = await new MiniProgram(server, 'ann').join(room);
      checkStream(await play(wx.playUrl(wx.tracks)));
      wx.leave();
      await until('the conversions end', () => server.metrics(), (m) => m.get('parley_rtmp_conversions{worker="1"}') === 0, 5_000);
      await web.close();
    } finally {
      await server.dispose();
    }
  },

  async 'the same URL over HTTP-FLV plays a browser and a pusher, and ends with the track and with a kick'(t) {
    const room = uniqueRoom('flv');
    const bob = await new MiniProgram(t.server, 'bob').join(room);
    const web = await join(t, room, 'alice');
    await publishBoth(web);
    const ofWeb = (await bob.wait('on-add-tracks')).body.tracks;
    checkStream(await play(bob.flvUrl(ofWeb)));

    const ann = await new MiniProgram(t.server, 'ann').join(room);
    const pusher = push(ann.publishUrl);
    const ofAnn = (await bob.wait('on-add-tracks')).body.tracks;
    checkStream(await play(bob.flvUrl(ofAnn)));
    checkStream(await play(bob.flvUrl(ofAnn.filter((x) => x.kind === 'audio'))), { video: false });

    // A page of another origin, with a header that makes the browser ask first; then by WebSocket.
    const began = await web.page.evaluate(async (url) => {
      const response = await fetch(url, { headers: { 'X-Player': 'flv' } });
      const reader = response.body.getReader();
      const { value } = await reader.read();
      await reader.cancel();
      const socket = new WebSocket(url.replace('http', 'ws'));
      socket.binaryType = 'arraybuffer';
      const message = await new Promise((resolve, reject) => Object.assign(socket, { onmessage: (e) => resolve(e.data), onerror: reject }));
      socket.close();
      return [location.origin !== new URL(url).origin, ...[value, new Uint8Array(message)].map((b) => String.fromCharCode(...b.subarray(0, 3)))];
    }, bob.flvUrl(ofAnn));
    assert.deepEqual(began, [true, 'FLV', 'FLV']);

    const open = async (tracks) => {
      const response = await fetch(bob.flvUrl(tracks));
      assert.equal(response.status, 200);
      const header = (name) => response.headers.get(name);
      assert.deepEqual(['content-type', 'access-control-allow-origin', 'cache-control'].map(header), ['video/x-flv', '*', 'no-store']);
      const reader = response.body.getReader();
      const first = Buffer.from((await reader.read()).value);
      assert.equal(first.subarray(0, 5).toString('latin1'), 'FLV\x01\x05', 'both flags');
      const read = async () => { while (!(await reader.read()).done); return true; };
      let ended = false;
      read().then(() => { ended = true; });
      return () => ended;
    };
    const first = await open(ofAnn);
    const second = await open(ofWeb);
    await pusher.stop();
    await until('the stream ends with its tracks', first, Boolean, 20_000);
    assert.ok(!second());
    const admin = await new MiniProgram(t.server, 'chief').join(room, { admin: true });
    assert.equal((await admin.request('control', { command: 'kickplayer', playerid: 'bob' })).code, 0);
    await until('the stream ends with its session', second, Boolean, 20_000);
    const players = (m) => [1, 2].map((w) => m.get(`parley_rtmp_players{worker="${w}"}`));
    await until('no player is left', () => t.server.metrics(), (m) => players(m).every((n) => n === 0), 20_000);
    admin.leave();
    ann.leave();
    await web.close();
  },

  async 'HTTP-FLV refuses with a status and a reason, and the connection goes on'(t) {
    const room = uniqueRoom('flv');
    const ann = await new MiniProgram(t.server, 'ann').join(room);
    const bob = await new MiniProgram(t.server, 'bob').join(room);
    const pusher = push(ann.publishUrl, { video: false });
    const { tracks } = (await bob.wait('on-add-tracks')).body;
    const good = bob.flvUrl(tracks);
    for (const [url, status, reason] of [
      [good.replace(bob.rtmptoken, 'wrong'), 404, /rtmptoken is unknown/],
      [good.replace(/rtmptoken=\w+&/, ''), 401, /rtmptoken is missing/],
      [good.replace(tracks[0].trackid, 'unknown'), 404, /no such track/],
      [good.replace('playerid=ann', 'playerid=bob'), 404, /not of this user/],
      [good.replace(/trackid=[^&]+&/, ''), 403, /for publishing/],
    ]) {
      const response = await fetch(url);
      assert.equal(response.status, status, url);
      assert.equal(response.headers.get('access-control-allow-origin'), '*');
      assert.match((await response.json()).error, reason);
    }
    await pusher.stop();
    ann.leave();
    bob.leave();
  },

  async 'profile=low plays the small layer of a simulcast publisher, over RTMP and over HTTP-FLV'(t) {
    const room = uniqueRoom('low');
    const bob = await new MiniProgram(t.server, 'bob').join(room);
    const web = await join(t, room, 'alice');
    await web.call('create', 'cam', 'camera', {
      encoderConfig: { width: 640, height: 480, frameRate: 15, bitrate: 900, lowStreamConfig: { bitrate: 150, scaleResolutionDownBy: 4 } },
    });
    await web.call('publish', 'cam');
    const { tracks } = (await bob.wait('on-add-tracks')).body;
    const width = async (url) => (await play(url)).streams[0]?.width;
    for (const url of [bob.playUrl(tracks), bob.flvUrl(tracks)]) {
      assert.equal(await until('the small picture', () => width(`${url}&profile=low`), (w) => w === 160, 30_000), 160);
    }
    assert.equal(await until('the full picture', () => width(bob.flvUrl(tracks)), (w) => w === 640, 30_000), 640);
    bob.leave();
    await web.close();
  },

  async 'S112 wrong tokens, users and tracks are refused with a status and a close'(t) {
    const room = uniqueRoom('wx');
    const ann = await new MiniProgram(t.server, 'ann').join(room);
    const bob = await new MiniProgram(t.server, 'bob').join(room);
    const rejected = async (url) => {
      const pusher = push(url, { seconds: 20 });
      await until('the push ends', async () => pusher.ended, Boolean, 10_000);
      return pusher.output;
    };
    for (const url of [ann.publishUrl.replace(ann.rtmptoken, 'wrong'), ann.publishUrl.replace('playerid=ann', 'playerid=bob')]) {
      assert.match(await rejected(url), /rtmptoken is unknown|not the token's user/);
    }
    const unknown = await play(bob.playUrl([{ trackid: 'unknown', kind: 'video', playerid: 'ann' }]));
    assert.notEqual(unknown.code, 0);
    assert.match(unknown.output, /no such track/);
    ann.leave();
    bob.leave();
  },

  async 'S117 S119 RTMP outlives a lost socket, and ends with a kick'(t) {
    const room = uniqueRoom('wx');
    const ann = await new MiniProgram(t.server, 'ann').join(room);
    const bob = await new MiniProgram(t.server, 'bob').join(room);
    const pusher = push(ann.publishUrl);
    const { tracks } = (await bob.wait('on-add-tracks')).body;
    ann.socket.terminate();
    const played = await play(bob.playUrl(tracks), { seconds: 5 });
    checkStream(played);
    const back = new MiniProgram(t.server, 'ann');
    back.rtmptoken = ann.rtmptoken;
    const answer = await back.resume();
    assert.deepEqual([answer.code, answer.rtmptoken, answer.rtmphost], [0, ann.rtmptoken, ann.rtmphost]);
    assert.deepEqual(answer.tracks, [], 'own tracks are not shown');
    assert.ok(!pusher.ended);
    assert.ok(!bob.inbox.some((m) => m.name === 'on-remove-tracks'));

    const admin = await new MiniProgram(t.server, 'chief').join(room, { admin: true });
    assert.equal((await admin.request('control', { command: 'kickplayer', playerid: 'ann' })).code, 0);
    assert.equal((await back.wait('disconnect')).body.code, 10006);
    await until('the push ends', async () => pusher.ended, Boolean, 20_000);
    await bob.wait('on-player-out');
    for (const one of [admin, bob]) one.leave();
  },

  async 'a server that drains closes the sockets of mini programs with 1001'() {
    const server = await new Server().start();
    try {
      const wx = await new MiniProgram(server, 'ann').join('drain');
      const stopped = server.stop('SIGTERM');
      assert.equal(await wx.closed, 1001);
      assert.ok(!wx.inbox.some((m) => m.name === 'disconnect'), 'it would be final for this client');
      await stopped;
      assert.deepEqual(await server.exited, { code: 0, signal: null });
    } finally {
      await server.dispose();
    }
  },
};
