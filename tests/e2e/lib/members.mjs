// Members of a room, each a browser page that runs a published client.
import { until } from './browser.mjs';

let counter = 0;
export const uniqueRoom = (prefix = 'room') => `${prefix}-${process.pid}-${++counter}`;

export class Member {
  constructor(page, userID, context) {
    this.page = page;
    this.context = context;
    this.userID = userID;
    this.console = [];
    page.on('console', (m) => this.console.push(m.text()));
    page.on('pageerror', (e) => this.console.push(`page error: ${e.message}`));
  }

  call(name, ...args) {
    return this.page.evaluate(([n, a]) => window.member[n](...a), [name, args]);
  }

  events(name) {
    return this.page.evaluate((n) => window.member.events().filter((e) => !n || e.name === n), name);
  }

  async waitEvent(name, good = () => true, timeoutMs = 20_000) {
    const list = await until(`${this.userID}: event ${name}`, () => this.events(name), (l) => l.some(good), timeoutMs);
    return list.find(good);
  }

  /// Waits until every probe shows progress: video frames rise, audio has energy.
  async waitMedia({ videos = 0, audios = 0, frames = 10, timeoutMs = 25_000 } = {}) {
    return until(`${this.userID}: media`, () => this.call('probe'), (p) => {
      const values = Object.values(p);
      return values.filter((v) => v.frames >= frames).length >= videos && values.filter((v) => v.peak > 0.005).length >= audios;
    }, timeoutMs);
  }

  /// Frames decoded by `key` rise by `frames` from now on.
  async waitMoreFrames(key, frames = 10, timeoutMs = 20_000) {
    const before = (await this.call('probe'))[key]?.frames ?? 0;
    await until(`${this.userID}: frames of ${key} after ${before}`, async () => (await this.call('probe'))[key]?.frames ?? 0, (n) => n >= before + frames, timeoutMs);
  }

  stats(filter = {}) {
    return this.page.evaluate(async (f) => (await window.rtcStats()).filter((s) => Object.entries(f).every(([k, v]) => s[k] === v)), filter);
  }

  /// Bodies of the signalling messages of this name, either way, oldest first.
  wire(name) {
    return this.page.evaluate((n) => window.wire.filter((w) => w.name === n).map((w) => w.body), name);
  }

  async close() {
    await this.context.close();
  }
}

/// Opens a page with the client `kind` ("web4", "web2") and joins.
export async function join({ browser, pages, server }, room, userID, { kind = 'web4', admin, token, userData = '', join: options = {}, context = {} } = {}) {
  const browserContext = await browser.newContext({ permissions: ['camera', 'microphone'], ...context });
  const page = await browserContext.newPage();
  const member = new Member(page, userID, browserContext);
  await page.goto(`${pages.origin}/${kind}`);
  member.token = token ?? (await server.token(room, userID, { admin }));
  await page.evaluate((o) => window.member.join(o), { token: member.token, host: server.origin, userData, ...options });
  return member;
}

export async function publishBoth(member, { video = {}, audio = {} } = {}) {
  await member.call('create', 'mic', 'microphone', audio);
  await member.call('create', 'cam', 'camera', { encoderConfig: { width: 640, height: 480, frameRate: 15, bitrate: 600 }, ...video });
  return member.call('publish', 'mic', 'cam');
}
