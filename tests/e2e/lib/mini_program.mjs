// Mini programs: their signalling in a few lines, and ffmpeg as the component that pushes and plays.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import WebSocket from 'ws';
import { until } from './browser.mjs';

/// One mini program's signalling as WX4 speaks it (protocol section 3.2), on path `/`.
export class MiniProgram {
  constructor(server, userID) {
    this.server = server;
    this.userID = userID;
    this.inbox = [];
    this.calls = 0;
  }

  async open() {
    this.socket = new WebSocket(`${this.server.origin.replace('http', 'ws')}/`);
    this.closed = new Promise((resolve) => this.socket.on('close', (code) => resolve(code)));
    this.socket.on('message', (data) => {
      const text = String(data);
      const cut = text.indexOf('=');
      const message = { name: text.slice(0, cut), body: JSON.parse(text.slice(cut + 1)) };
      if (message.name === 'ping') this.socket.send('pong={}');
      else this.inbox.push(message);
    });
    await new Promise((resolve, reject) => this.socket.on('open', resolve).on('error', reject));
  }

  async request(name, body = {}) {
    const rpcid = `c${++this.calls}`;
    this.socket.send(`${name}=${JSON.stringify({ ...body, rpcid })}`);
    return (await this.wait(`${name}-res`, (b) => b.rpcid === rpcid)).body;
  }

  /// The first message of this name that was not taken yet; taken out.
  async wait(name, good = () => true, timeoutMs = 15_000) {
    const find = () => this.inbox.find((m) => m.name === name && good(m.body));
    const message = await until(`${this.userID}: ${name}`, find, Boolean, timeoutMs);
    this.inbox.splice(this.inbox.indexOf(message), 1);
    return message;
  }

  async join(room, options) {
    await this.open();
    this.roomtoken = await this.server.token(room, this.userID, options);
    const answer = await this.request('auth', {
      app: 'demo', agent: 'wechat miniprogram', roomtoken: this.roomtoken, sdkversion: '4.0.6', room, user: this.userID, playerdata: '',
    });
    if (answer.code !== 0) throw Object.assign(new Error(answer.error), { code: answer.code });
    Object.assign(this, { room, rtmptoken: answer.rtmptoken, rtmphost: answer.rtmphost, tracks: answer.tracks, players: answer.players });
    return this;
  }

  async resume() {
    await this.open();
    return this.request('auth', { rtmptoken: this.rtmptoken });
  }

  get publishUrl() { return `rtmp://${this.rtmphost}/?rtmptoken=${this.rtmptoken}&playerid=${this.userID}`; }

  playUrl(tracks, { user = tracks[0].playerid, scheme = 'rtmp' } = {}) {
    const order = ['video', 'audio'];
    const ids = [...tracks].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind)).map((t) => `trackid=${t.trackid}`);
    return `rtmp://${this.rtmphost}/?rtmptoken=${this.rtmptoken}&${ids.join('&')}&playerid=${user}`;
  }

  /// The same over HTTP-FLV.
  flvUrl(tracks, options) { return this.playUrl(tracks, options).replace(/^rtmp:..[^/]*\//, `${this.server.origin}/rtc.flv`); }

  leave() {
    this.socket.send('disconnect={}');
    this.socket.close();
  }
}

/// A program that runs until it ends by itself or is stopped; its output is kept.
export class Program {
  constructor(command, args) {
    this.command = command;
    this.output = '';
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr]) stream.on('data', (d) => { this.output = (this.output + d).slice(-400_000); });
    this.exited = new Promise((resolve) => this.child.on('exit', (code, signal) => resolve({ code, signal })));
  }

  get ended() { return this.child.exitCode !== null || this.child.signalCode !== null; }

  async stop() {
    if (!this.ended) this.child.kill('SIGKILL');
    await this.exited;
  }
}

const QUIET = ['-hide_banner', '-loglevel', 'warning', '-nostats'];

const AS_LIVE_PUSHER = ['-profile:v', 'baseline', '-preset', 'ultrafast', '-tune', 'zerolatency'];
/// B pictures that are references: no browser can show what this makes as it is.
export const REORDERED = ['-profile:v', 'main', '-preset', 'veryfast', '-bf', '3', '-b-pyramid', 'normal', '-x264-params', 'b-adapt=0:scenecut=0:rc-lookahead=4'];

/// Pushes a moving picture and a tone, as live-pusher does: baseline H.264, AAC, a key frame every `gop` frames.
export function push(url, { video = true, audio = true, size = '320x240', seconds = 60, rate = 15, gop = 30, lateAudio = 0, tone = 880, extra = [],
  source = `testsrc2=size=${size}:rate=${rate}`, encoder = AS_LIVE_PUSHER } = {}) {
  const input = [];
  const output = [];
  if (video) {
    input.push('-re', '-f', 'lavfi', '-i', source);
    output.push('-c:v', 'libx264', ...encoder, '-g', String(gop), '-b:v', '400k', '-pix_fmt', 'yuv420p');
  }
  if (audio) {
    input.push('-re', ...(lateAudio ? ['-itsoffset', String(lateAudio)] : []), '-f', 'lavfi', '-i', `sine=frequency=${tone}:sample_rate=44100`);
    output.push('-c:a', 'aac', '-ac', '2', '-b:a', '64k');
  }
  return new Program('ffmpeg', [...QUIET, ...input, ...output, '-t', String(seconds), ...extra, '-f', 'flv', '-rtmp_live', 'live', url]);
}

/// What a player hears within `seconds`: mono samples at 48 kHz, from -1 to 1.
export async function listen(url, { seconds = 3, timeoutMs = 20_000 } = {}) {
  const child = spawn('ffmpeg', [...QUIET, '-rw_timeout', String(timeoutMs * 1000), '-i', url, '-t', String(seconds), '-vn', '-ac', '1', '-ar', '48000', '-f', 's16le', '-'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const pieces = [];
  for await (const piece of child.stdout) pieces.push(piece);
  clearTimeout(timer);
  const pcm = Buffer.concat(pieces);
  return Float64Array.from({ length: pcm.length >> 1 }, (_, i) => pcm.readInt16LE(2 * i) / 32768);
}

/// How strong one frequency is in `samples` (Goertzel): the amplitude of that tone.
export function toneOf(samples, hz, rate = 48_000) {
  const turn = 2 * Math.cos((2 * Math.PI * hz) / rate);
  let [a, b] = [0, 0];
  for (const x of samples) [a, b] = [x + turn * a - b, a];
  return (2 * Math.sqrt(Math.max(0, a * a + b * b - turn * a * b))) / samples.length;
}

/// What ffprobe makes of a stream or a file: streams, packets with times.
async function judge(args, timeoutMs) {
  const started = Date.now();
  const probe = new Program('ffprobe', ['-hide_banner', '-loglevel', 'error', '-show_streams', '-show_packets', '-of', 'json', ...args]);
  const timer = setTimeout(() => probe.stop(), timeoutMs);
  const result = await probe.exited;
  clearTimeout(timer);
  let report = {};
  try { report = JSON.parse(probe.output.slice(probe.output.indexOf('{'), probe.output.lastIndexOf('}') + 1)); } catch { /* nothing came */ }
  return { code: result.code, tookMs: Date.now() - started, output: probe.output, streams: report.streams ?? [], packets: report.packets ?? [] };
}

/// What a player gets within `seconds`.
export const play = (url, { seconds = 4, timeoutMs = 20_000 } = {}) => judge([
  '-fflags', 'nobuffer', '-probesize', '200000', '-analyzeduration', '2000000', '-read_intervals', `%+${seconds}`,
  '-rw_timeout', String(timeoutMs * 1000), '-i', url,
], timeoutMs);

/// What another program has recorded.
export const judgeFile = (file) => judge([file], 20_000);

/// Times from 0, growing within each kind, each kind there.
export function checkStream(result, { video = true, audio = true } = {}) {
  assert.deepEqual(result.streams.map((s) => s.codec_name).sort(), [...(audio ? ['aac'] : []), ...(video ? ['h264'] : [])], result.output.slice(-300));
  for (const kind of [...(video ? ['video'] : []), ...(audio ? ['audio'] : [])]) {
    const times = result.packets.filter((p) => p.codec_type === kind).map((p) => Number(p.dts_time));
    assert.ok(times.length > 20, `${kind}: ${times.length} packets`);
    assert.ok(times.every((t, i) => i === 0 || t >= times[i - 1]), `${kind} goes back`);
    assert.ok(times[0] >= 0 && times[0] < 3, `${kind} begins at ${times[0]}`);
  }
}

/// Watches a stream over HTTP-FLV without decoding it, until `stop`: tags of each kind, and whether their times go back.
export function watchFlv(url) {
  const abort = new AbortController();
  const seen = { video: 0, audio: 0, backwards: 0, beginsWithKey: undefined, error: undefined, stop: () => abort.abort() };
  let rest = Buffer.alloc(0);
  let skip = 13;  // the file header
  let last = 0;
  const read = () => {
    for (let at = skip; ; ) {
      skip = at;
      if (rest.length < at + 11) break;
      const size = rest.readUIntBE(at + 1, 3);
      if (rest.length < at + 11 + size + 4) break;
      const time = rest.readUIntBE(at + 4, 3) + rest[at + 7] * 2 ** 24;
      if (time < last) ++seen.backwards;
      last = time;
      const isFrame = rest[at + 12] === 1;
      if (rest[at] === 8 && isFrame) ++seen.audio;
      if (rest[at] === 9 && isFrame) {
        seen.beginsWithKey ??= rest[at + 11] >> 4 === 1;
        ++seen.video;
      }
      at += 11 + size + 4;
    }
    rest = rest.subarray(skip);
    skip = 0;
  };
  (async () => {
    const response = await fetch(url, { signal: abort.signal });
    if (response.status !== 200) throw new Error(`status ${response.status}`);
    for await (const part of response.body) {
      rest = Buffer.concat([rest, part]);
      if (rest.length >= skip) read();
    }
    throw new Error('the stream ended');
  })().catch((error) => { if (!abort.signal.aborted) seen.error = error.message; });
  return seen;
}
