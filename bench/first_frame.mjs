// Time from joining a room to the first decoded picture, in real Chromium over loopback.
// Usage: node bench/first_frame.mjs [--joins N] [--json]      (after `npm ci` in tests/e2e)
// One member publishes; viewers join one after another, each in a browser context of its own whose page is loaded
// already. Exits with 1 when a join gets no picture; goals are printed beside the figures, not enforced.
import { launchChromium, PageServer } from '../tests/e2e/lib/browser.mjs';
import { join, Member, publishBoth, uniqueRoom } from '../tests/e2e/lib/members.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';

const GOALS = { median: 300, p95: 600 };
const LIMIT_MS = 10_000;
const args = process.argv.slice(2);
const joinsAt = args.indexOf('--joins');
const joins = joinsAt >= 0 ? Number(args[joinsAt + 1]) : 25;
if (!Number.isInteger(joins) || joins < 1 || joins > 1000) throw new Error('--joins needs a number from 1 to 1000');

/** Runs in the page: joins, and gives the milliseconds from the call of `join` to each step. */
async function measure({ token, host, limitMs }) {
  const start = performance.now();
  const steps = {};
  const mark = (name) => { steps[name] ??= performance.now() - start; };
  const Connection = window.RTCPeerConnection;
  window.RTCPeerConnection = function RTCPeerConnection(...rest) {
    const pc = new Connection(...rest);
    pc.addEventListener('iceconnectionstatechange', () => { if (pc.iceConnectionState === 'connected') mark('ice'); });
    pc.addEventListener('connectionstatechange', () => { if (pc.connectionState === 'connected') mark('dtls'); });
    return pc;
  };
  window.RTCPeerConnection.prototype = Connection.prototype;
  const picture = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no picture within ${limitMs} ms: ${JSON.stringify(steps)}`)), limitMs);
    const look = setInterval(() => {
      const video = document.querySelector('video');
      if (!video) return;
      clearInterval(look);
      video.requestVideoFrameCallback(() => { mark('picture'); clearTimeout(timer); resolve(); });
    }, 1);
  });
  await window.member.join({ token, host });
  mark('joined');
  await picture;
  return steps;
}

const percentile = (values, p) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(p * sorted.length) - 1)];
};

// Viewers that went stay in the room for its grace time.
const server = await new Server({ config: '[app]\nmax_users = 1100' }).start();
const pages = await new PageServer().start();
const browser = await launchChromium();
const context = { browser, pages, server };
const results = [];
let failed = 0;
try {
  const room = uniqueRoom('first-frame');
  const publisher = await join(context, room, 'publisher');
  await publishBoth(publisher, { video: { encoderConfig: { width: 640, height: 480, frameRate: 30, bitrate: 1000 } } });
  for (let i = 0; i < joins; ++i) {
    const own = await browser.newContext({ permissions: ['camera', 'microphone'] });
    const viewer = new Member(await own.newPage(), `viewer-${i}`);
    await viewer.page.goto(`${pages.origin}/web4`);
    const token = await server.token(room, viewer.userID);
    try {
      results.push(await viewer.page.evaluate(measure, { token, host: server.origin, limitMs: LIMIT_MS }));
    } catch (error) {
      ++failed;
      console.error(`join ${i}: ${error.message}`);
    }
    await own.close();
  }
} finally {
  await browser.close();
  pages.stop();
  await server.stop();
}

const report = { joins, failed };
for (const step of ['joined', 'ice', 'dtls', 'picture']) {
  const values = results.map((r) => r[step]).filter((v) => v !== undefined);
  if (values.length) report[step] = { median: percentile(values, 0.5), p95: percentile(values, 0.95), max: Math.max(...values) };
}
if (args.includes('--json')) {
  console.log(JSON.stringify(report));
} else {
  console.log(`${joins} joins, ${failed} without a picture; milliseconds from join():`);
  for (const [step, v] of Object.entries(report)) {
    if (v.median === undefined) continue;
    console.log(`  ${step.padEnd(8)} median ${v.median.toFixed(0).padStart(5)}  p95 ${v.p95.toFixed(0).padStart(5)}  max ${v.max.toFixed(0).padStart(5)}`);
  }
  console.log(`  goals for the first picture: median ${GOALS.median}, p95 ${GOALS.p95}`);
}
process.exit(failed > 0 ? 1 : 0);
