// RTMP as programs of others speak it, without a browser: ffmpeg, GStreamer, rtmpdump; ffprobe judges what they got.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { until } from '../lib/browser.mjs';
import { uniqueRoom } from '../lib/members.mjs';
import { checkStream, judgeFile, MiniProgram, play, Program, push, watchFlv } from '../lib/mini_program.mjs';
import { population } from '../lib/population.mjs';
import { Server } from '../lib/server.mjs';
import { account } from '../lib/tokens.mjs';
import { X1 } from '../lib/x1.mjs';

export async function setup() {
  return { server: await new Server({ workers: 2 }).start(), folder: fs.mkdtempSync(path.join(os.tmpdir(), 'parley-streams-')) };
}

export async function teardown({ server, folder }) {
  await server.dispose();
  fs.rmSync(folder, { recursive: true, force: true });
}

/// Two mini programs in one room: who publishes, and who watches.
async function pair(t) {
  const room = uniqueRoom('rtmp');
  return Promise.all(['ann', 'bob'].map((user) => new MiniProgram(t.server, user).join(room)));
}

const bothTracks = async (watcher) => (await watcher.wait('on-add-tracks', (b) => b.tracks.length === 2, 30_000)).body.tracks;

/// GStreamer wants the parts of a URL one by one: `rtmp://host:port/?query`.
function parts(url) {
  const [, host, port, query] = /^rtmp:..([^:/]+):(\d+)\/(\?.*)$/.exec(url);
  return [`host=${host}`, `port=${port}`, 'application=live', `stream=${query}`];
}

/// Waits until a recorded file is long enough to be judged, and ends the program.
async function record(program, file, bytes = 200_000) {
  const size = () => (fs.existsSync(file) ? fs.statSync(file).size : 0);
  await until(`${program.command} records`, async () => {
    if (program.ended && size() < bytes) throw new Error(`it ended: ${program.output.slice(-500)}`);
    return size() >= bytes;
  }, Boolean, 40_000);
  await program.stop();
  return judgeFile(file);
}

export const tests = {
  async 'GStreamer: rtmp2sink pushes, rtmp2src plays'(t) {
    const [ann, bob] = await pair(t);
    const pusher = new Program('gst-launch-1.0', [
      '-q', 'flvmux', 'name=mux', 'streamable=true', '!', 'rtmp2sink', ...parts(ann.publishUrl),
      'videotestsrc', 'is-live=true', '!', 'video/x-raw,width=320,height=240,framerate=15/1', '!', 'openh264enc', 'gop-size=15', '!',
      'h264parse', '!', 'queue', '!', 'mux.video',
      'audiotestsrc', 'is-live=true', '!', 'audio/x-raw,rate=44100,channels=2', '!', 'voaacenc', '!', 'aacparse', '!', 'queue', '!', 'mux.audio',
    ]);
    const tracks = await bothTracks(bob);
    const judged = await play(bob.playUrl(tracks));
    checkStream(judged);
    assert.deepEqual([judged.streams.find((s) => s.width).width, judged.streams.find((s) => s.channels).sample_rate], [320, '44100']);
    const file = path.join(t.folder, 'gst.flv');
    const player = new Program('gst-launch-1.0', ['-q', 'rtmp2src', ...parts(bob.playUrl(tracks)), '!', 'filesink', 'buffer-mode=unbuffered', `location=${file}`]);
    checkStream(await record(player, file));
    await pusher.stop();
    assert.equal((await bob.wait('on-remove-tracks')).body.tracks.length, 2);
    for (const one of [ann, bob]) one.leave();
  },

  async 'rtmpdump plays, with one URL and with a play path'(t) {
    const [ann, bob] = await pair(t);
    const pusher = push(ann.publishUrl);
    const url = bob.playUrl(await bothTracks(bob));
    const query = url.slice(url.indexOf('?'));
    const server = url.slice(0, url.indexOf('?'));
    for (const [name, args] of [['url', ['-r', `${server}live/${query}`]], ['path', ['-r', `${server}live`, '-y', query]]]) {
      const file = path.join(t.folder, `${name}.flv`);
      checkStream(await record(new Program('rtmpdump', ['-q', '-v', ...args, '-o', file]), file));
    }
    await pusher.stop();
    for (const one of [ann, bob]) one.leave();
  },

  async 'the quality of a pusher and of a player is in the history'(t) {
    const [ann, bob] = await pair(t);
    const pusher = push(ann.publishUrl);
    const player = watchFlv(bob.flvUrl(await bothTracks(bob)));
    const x1 = await X1.open(t.server, account(t.server));
    const answer = await until('a point of each', () => x1.ok('getQuality', { appId: 'demo', room: ann.room }), (a) => a.members.length === 2, 30_000);
    const [pushes, plays] = ['ann', 'bob'].map((user) => answer.members.find((m) => m.userId === user).points.at(-1));
    assert.ok(pushes.upKbps > 10 && pushes.queueMs === undefined, JSON.stringify(pushes));
    assert.ok(plays.downKbps > 10 && plays.droppedFrames === 0 && plays.queueMs < 2_000, JSON.stringify(plays));
    const counted = async () => (await x1.ok('getUsage', { appId: 'demo' }, { query: `?g=hour&by=user&room=${ann.room}` })).rows;
    const rows = await until('usage of both', counted, (list) => new Set(list.map((r) => r.userId)).size === 2, 30_000);
    const [sent, seen] = ['ann', 'bob'].map((user) => rows.find((r) => r.userId === user));
    const video = (of) => Object.values(of.videoMinutes).reduce((n, m) => n + m);
    assert.ok(sent.bytesIn > 10_000 && sent.audioMinutes === 0 && video(sent) === 0, JSON.stringify(sent));
    assert.ok(seen.bytesOut > 10_000 && video(seen) > 0 && seen.audioMinutes > 0 && seen.published.audioMinutes === 0, JSON.stringify(seen));
    player.stop();
    await pusher.stop();
    for (const one of [ann, bob]) one.leave();
  },

  async 'a studio program with server and stream key'(t) {
    const [ann, bob] = await pair(t);
    // What OBS asks for: rtmp://host/app and a key; its pictures of high profile, B pictures off for live calls.
    const [, host, key] = /^rtmp:..([^/]+)\/(.*)$/.exec(ann.publishUrl);
    const pusher = push(`rtmp://${host}/live`, {
      extra: ['-profile:v', 'high', '-bf', '0', '-ar', '48000', '-rtmp_playpath', key, '-rtmp_flashver', 'FMLE/3.0 (compatible; FMSc/1.0)'],
    });
    checkStream(await play(bob.playUrl(await bothTracks(bob))));
    await pusher.stop();
    for (const one of [ann, bob]) one.leave();
  },

  async 'sound that comes five seconds late: the picture does not wait for it'(t) {
    const [ann, bob] = await pair(t);
    // ffmpeg sends the header of the sound at once, and its frames when they come.
    const pusher = push(ann.publishUrl, { lateAudio: 5 });
    const tracks = await bothTracks(bob);
    const early = await play(bob.playUrl(tracks.filter((x) => x.kind === 'video')), { seconds: 2 });
    checkStream(early, { audio: false });
    checkStream(await play(bob.playUrl(tracks), { seconds: 6 }));
    await pusher.stop();
    for (const one of [ann, bob]) one.leave();
  },

  async 'of two publishers with one token the newer one stays'(t) {
    const [ann, bob] = await pair(t);
    const older = push(ann.publishUrl);
    const before = await bothTracks(bob);
    const newer = push(ann.publishUrl, { size: '160x120' });
    await until('the older push ends', async () => older.ended, Boolean, 20_000);
    assert.deepEqual((await bob.wait('on-remove-tracks')).body.tracks.map((x) => x.trackid).sort(), before.map((x) => x.trackid).sort());
    const after = await bothTracks(bob);
    assert.ok(!after.some((x) => before.some((y) => y.trackid === x.trackid)), 'new ids');
    const judged = await play(bob.playUrl(after));
    checkStream(judged);
    assert.equal(judged.streams.find((s) => s.width).width, 160);
    assert.ok(!newer.ended);
    await newer.stop();
    for (const one of [ann, bob]) one.leave();
  },

  async 'a room of twelve: six web members and six mini programs, everybody with everybody'(t) {
    const prefix = uniqueRoom('twelve');
    const phones = await Promise.all([...'abcdef'].map((c) => new MiniProgram(t.server, `phone-${c}`).join(`${prefix}-0`)));
    const pushers = phones.map((p) => push(p.publishUrl, { size: '160x120', rate: 8, gop: 8, seconds: 120 }));
    // Everybody else's tracks, by user.
    const tracksOf = phones.map((p) => new Map());
    const look = (p, i) => {
      for (const m of p.inbox.splice(0)) {
        if (m.name === 'on-add-tracks') for (const x of m.body.tracks) tracksOf[i].set(x.playerid, [...(tracksOf[i].get(x.playerid) ?? []), x]);
      }
      return [...tracksOf[i].values()].filter((tracks) => tracks.length === 2).length;
    };
    for (const [i, p] of phones.entries()) for (const x of p.tracks) tracksOf[i].set(x.playerid, [...(tracksOf[i].get(x.playerid) ?? []), x]);
    await until('all phones publish', () => phones.every((p, i) => look(p, i) === 5), Boolean, 60_000);
    const web = population(t.server, [
      '--room', prefix, '--mesh', '--publishers', '6', '--subscribers', '0', '--kbps', '150', '--settle', '4', '--duration', '6',
    ]);
    await until('all see eleven others', () => phones.every((p, i) => look(p, i) === 11), Boolean, 60_000);
    const views = phones.flatMap((p, i) => [...tracksOf[i]].map(([user, tracks]) => ({ what: `${p.userID} sees ${user}`, seen: watchFlv(p.flvUrl(tracks)) })));
    assert.equal(views.length, 66);
    const { code, report } = await web;
    for (const { seen } of views) seen.stop();
    const what = JSON.stringify(report);
    assert.deepEqual([code, report.ready, report.failed], [0, 6, 0], what);
    assert.deepEqual([report.loss.video_lost, report.loss.not_authentic, report.pictures.vanished], [0, 0, 0], what);
    // 30 pictures a second of five web members and 8 of six phones.
    assert.ok(report.pictures.decodable >= 6 * (5 * 30 + 6 * 8) * 6 * 0.7, what);
    for (const { what: who, seen } of views) {
      assert.ok(seen.video > 20 && seen.audio > 100, `${who}: ${JSON.stringify(seen)}`);
      assert.deepEqual([seen.backwards, seen.beginsWithKey], [0, true], who);
      // Web members leave when they have measured; phones stay.
      if (who.includes('sees phone')) assert.equal(seen.error, undefined, who);
    }
    await Promise.all(pushers.map((p) => p.stop()));
    for (const p of phones) p.leave();
  },
};
