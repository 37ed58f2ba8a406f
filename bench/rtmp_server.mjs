// What mini programs cost a real server, and how long it holds their media up.
// Usage: node bench/rtmp_server.mjs [--seconds S] [--json]      (after `npm ci` in tests/e2e)
// Steps one after another, each in a room of its own: pushes alone; players of them; browsers that listen to them (AAC to
// Opus); players of browsers (Opus to AAC). CPU is what the process used beyond the step before it, for each of them; delays
// are the server's own histograms, from the arrival of media to the write, conversion included. Goals are printed, not enforced.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../tests/e2e/lib/browser.mjs';
import { uniqueRoom } from '../tests/e2e/lib/members.mjs';
import { MiniProgram, watchFlv } from '../tests/e2e/lib/mini_program.mjs';
import { population } from '../tests/e2e/lib/population.mjs';
import { firstPictureMs } from '../tests/e2e/lib/rtmp_raw.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';

const args = process.argv.slice(2);
const secondsAt = args.indexOf('--seconds');
const seconds = secondsAt >= 0 ? Number(args[secondsAt + 1]) : 8;
const PUSHES = 6;
const PLAYERS = 10;  // of each push
const FIRST_PICTURES = 30;
const TICKS = 100;   // of /proc, for each second

const server = await new Server().start();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-bench-'));
const children = [];

const cpuSeconds = () => {
  const fields = fs.readFileSync(`/proc/${server.child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
};

/// A histogram of /metrics as [upper bound, count] since `before`.
const buckets = async (name) => {
  const out = new Map();
  for (const [key, value] of await server.metrics()) {
    const found = key.startsWith(`${name}_bucket`) && /le="([^"]+)"/.exec(key);
    if (found) out.set(found[1] === '+Inf' ? Infinity : Number(found[1]), value + (out.get(Number(found[1])) ?? 0));
  }
  return out;
};
/// The upper bound of the bucket in which this share lies, in ms.
function percentile(before, after, share) {
  const sorted = [...after].map(([bound, n]) => [bound, n - (before.get(bound) ?? 0)]).sort((a, b) => a[0] - b[0]);
  const total = sorted.at(-1)?.[1] ?? 0;
  if (!total) return null;
  return Number((sorted.find(([, n]) => n >= share * total)[0] * 1000).toFixed(2));
}

/// CPU per second and delays over the measured time; `during` may run beside it.
async function measure(histogram, during = () => delay(seconds * 1000)) {
  const [before, started, cpu] = [histogram ? await buckets(histogram) : new Map(), Date.now(), cpuSeconds()];
  const result = await during();
  const share = (cpuSeconds() - cpu) / ((Date.now() - started) / 1000);
  const after = histogram ? await buckets(histogram) : new Map();
  return { cpu: share, p50: percentile(before, after, 0.5), p99: percentile(before, after, 0.99), result };
}

/// Adds the tracks that a mini program has been told of meanwhile.
const tracksSeen = (phone, inbox = []) => {
  inbox.push(...phone.inbox.splice(0).filter((m) => m.name === 'on-add-tracks').flatMap((m) => m.body.tracks));
  return inbox;
};

const byOwner = (tracks) => [...new Set(tracks.map((x) => x.playerid))].map((user) => tracks.filter((x) => x.playerid === user));

try {
  const file = path.join(folder, 'push.flv');
  execFileSync('ffmpeg', ['-loglevel', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=640x360:rate=15', '-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=44100',
    '-t', '20', '-c:v', 'libx264', '-profile:v', 'baseline', '-preset', 'veryfast', '-tune', 'zerolatency', '-g', '15', '-b:v', '400k', '-pix_fmt', 'yuv420p',
    '-c:a', 'aac', '-ac', '2', '-b:a', '64k', file]);
  const room = uniqueRoom('push');
  const watcher = await new MiniProgram(server, 'watcher').join(`${room}-0`);
  const idle = await measure();
  const found = [];
  for (let i = 0; i < PUSHES; ++i) {
    const phone = await new MiniProgram(server, `pusher${i}`).join(`${room}-0`);
    children.push(spawn('ffmpeg', ['-loglevel', 'error', '-re', '-stream_loop', '-1', '-i', file, '-c', 'copy', '-f', 'flv', phone.publishUrl], { stdio: 'ignore' }));
  }
  await until('all pushes', () => tracksSeen(watcher, found).length === 2 * PUSHES, Boolean, 30_000);
  const pushed = await measure();

  const byUser = byOwner(found);
  const pictures = [];
  for (let i = 0; i < FIRST_PICTURES; ++i) {
    const url = watcher.playUrl(byUser[i % PUSHES]);
    pictures.push(await firstPictureMs(server.rtmpPort, url.slice(url.indexOf('?'))));
  }
  pictures.sort((a, b) => a - b);

  const views = byUser.flatMap((tracks) => Array.from({ length: PLAYERS }, () => watchFlv(watcher.flvUrl(tracks))));
  await until('all play', () => views.every((v) => v.video > 5), Boolean, 20_000);
  const played = await measure('parley_rtmp_player_delay_seconds');
  for (const v of views) v.stop();
  const starved = views.filter((v) => v.error || v.backwards).length;

  // One web member who takes everything: each push is converted once and sent once.
  const heard = await measure('parley_media_forwarding_delay_seconds', () => population(server, [
    '--room', room, '--publishers', '0', '--subscribers', '1', '--settle', '1', '--duration', String(seconds),
  ]));
  for (const child of children) child.kill('SIGKILL');

  // Web members whom one mini program plays: each sound is converted once.
  const webRoom = uniqueRoom('web');
  const listener = await new MiniProgram(server, 'listener').join(`${webRoom}-0`);
  const web = population(server, ['--room', webRoom, '--publishers', String(PUSHES), '--subscribers', '0', '--kbps', '400', '--settle', '1', '--duration', String(2 * seconds + 8)]);
  const ofWeb = [...listener.tracks];
  await until('all web members', () => tracksSeen(listener, ofWeb).length === 2 * PUSHES, Boolean, 30_000);
  const published = await measure();
  const listening = byOwner(ofWeb).map((tracks) => watchFlv(listener.flvUrl(tracks)));
  await until('all listen', () => listening.every((v) => v.audio > 5), Boolean, 20_000);
  const converted = await measure('parley_rtmp_player_delay_seconds');
  for (const v of listening) v.stop();
  await web;

  const report = {
    seconds, starved,
    cpu_percent: {
      push: 100 * (pushed.cpu - idle.cpu) / PUSHES,
      player: 100 * (played.cpu - pushed.cpu) / (PUSHES * PLAYERS),
      aac_to_opus: 100 * (heard.cpu - pushed.cpu) / PUSHES,
      opus_to_aac: 100 * (converted.cpu - published.cpu) / PUSHES,
    },
    delay_ms: {
      push_to_player: [played.p50, played.p99],
      push_to_browser: [heard.p50, heard.p99],
      browser_to_player: [converted.p50, converted.p99],
    },
    first_picture_ms: { median: pictures[Math.floor(pictures.length / 2)], p95: pictures[Math.floor(pictures.length * 0.95)] },
  };
  if (args.includes('--json')) {
    console.log(JSON.stringify(report));
  } else {
    const cpu = report.cpu_percent;
    console.log(`CPU of one core, each: push ${cpu.push.toFixed(2)} %, player ${cpu.player.toFixed(3)} %, AAC to Opus and on to a browser ${cpu.aac_to_opus.toFixed(2)} %, player of a browser with Opus to AAC ${cpu.opus_to_aac.toFixed(2)} %`);
    const range = ([p50, p99]) => `at most ${p50} ms, p99 ${p99} ms`;
    for (const [name, label] of [['push_to_player', 'pusher to player'], ['push_to_browser', 'pusher to browser'], ['browser_to_player', 'browser to player']]) {
      console.log(`held up in the server, ${label}: median ${range(report.delay_ms[name])} (goal: p99 20 ms)`);
    }
    console.log(`first picture after play, cached: median ${report.first_picture_ms.median} ms, p95 ${report.first_picture_ms.p95} ms (goal: 50 ms)`);
  }
  process.exitCode = starved ? 1 : 0;
} finally {
  for (const child of children) child.kill('SIGKILL');
  await server.dispose();
  fs.rmSync(folder, { recursive: true, force: true });
}
