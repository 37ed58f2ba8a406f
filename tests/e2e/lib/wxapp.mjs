// Members who sit in a mini program: the built SDK on a made phone whose components really push and play.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { until } from './browser.mjs';
import { root } from './server.mjs';

let tools;

/// Builds the SDK and the stand-in once.
export async function miniPrograms() {
  if (tools) return tools;
  execFileSync('node', ['scripts/build.mjs', '--if-needed'], { cwd: path.join(root, 'sdk/wxapp'), stdio: 'inherit' });
  const outfile = path.join(root, 'build/e2e/fake-wechat.cjs');
  await esbuild.build({
    entryPoints: [path.join(root, 'testing/fake-wechat/src/index.ts')],
    outfile, bundle: true, platform: 'node', format: 'cjs', external: ['ws', 'jsdom', 'miniprogram-simulate'], logLevel: 'error',
    logOverride: { 'empty-import-meta': 'silent' },
  });
  tools = { ...createRequire(import.meta.url)(outfile), sdk: path.join(root, 'sdk/wxapp/miniprogram_dist/index.js') };
  return tools;
}

export class WxMember {
  constructor(server, userID, source, phone = {}) {
    Object.assign(this, { server, userID, source, phoneConfig: phone, events: [], publishing: [], urls: new Map() });
  }

  async join(room, { publish = true, audioOnly = false, admin = false, config = {} } = {}) {
    const { Phone, sdk } = await miniPrograms();
    this.phone = new Phone({ source: this.source, retryMs: 500, netStatusMs: 1000, ...this.phoneConfig });
    const module = this.phone.load(sdk);
    const QNRTC = module.default;
    QNRTC.setLogLevel('NONE');
    QNRTC.setConfig({ server: `${this.server.origin.replace('http', 'ws')}/`, ...config });
    const client = QNRTC.createClient();
    Object.assign(this, { QNRTC, client });
    for (const name of ['user-joined', 'user-left', 'user-published', 'user-unpublished', 'connection-state-changed', 'message-received']) {
      client.on(name, (...args) => this.events.push([name, ...args]));
    }
    for (const name of ['user-published', 'user-unpublished', 'user-left']) client.on(name, (userID) => this.arrange(userID));
    await client.join(await this.server.token(room, this.userID, { admin }), `data of ${this.userID}`);
    if (!publish) return this;
    this.pusher = this.phone.createPusher({ autopush: true, mode: 'RTC', enableCamera: !audioOnly }, 'pusher');
    this.pusher.on('statechange', (e) => QNRTC.updatePusherStateChange(e));
    this.pusher.on('netstatus', (e) => QNRTC.updatePusherNetStatus(e));
    await client.publish((status, data) => {
      this.publishing.push(status);
      if (status === 'READY') this.pusher.set({ url: data.url });
    });
    return this;
  }

  /// One player for each user with something to play, as an app would keep them.
  async arrange(userID) {
    const user = this.client.getRemoteUser(userID);
    const [videoTrack, audioTrack] = [user?.getVideoTracks()[0], user?.getAudioTracks()[0]];
    const url = videoTrack || audioTrack ? await this.client.subscribe({ videoTrack, audioTrack }).catch(() => '') : '';
    const id = `player-${userID}`;
    if (this.urls.get(userID) === url) return;
    this.urls.set(userID, url);
    const player = this.phone.player(id);
    if (!url) {
      player?.remove();
      this.client.detachPlayer(id);
    } else if (player) {
      player.set({ src: url });
    } else {
      const fresh = this.phone.createPlayer({ src: url, autoplay: true, mode: 'RTC' }, id);
      fresh.on('statechange', (e) => this.QNRTC.updatePlayerStateChange(e));
      fresh.on('netstatus', (e) => this.QNRTC.updatePlayerNetStatus(e));
    }
  }

  player(userID) {
    return this.phone.player(`player-${userID}`);
  }
  states() {
    return this.events.filter(([name]) => name === 'connection-state-changed').map(([, state]) => state);
  }

  /// Sees the time code of `source` move on.
  async sees(userID, source, timeoutMs = 20_000) {
    const what = `${this.userID} sees ${userID}`;
    const first = await until(what, () => this.player(userID)?.seeTime(), (t) => t?.source === source, timeoutMs).catch((e) => this.explain(e, userID));
    await until(`${what} move`, () => this.player(userID)?.seeTime(), (t) => t?.source === source && t.timeMs > first.timeMs + 200, timeoutMs).catch((e) => this.explain(e, userID));
    return this.player(userID);
  }
  async hears(userID, source, timeoutMs = 20_000) {
    await until(`${this.userID} hears ${userID}`, () => this.player(userID)?.hearTone(), (s) => s === source, timeoutMs).catch((e) => this.explain(e, userID));
  }
  explain(error, userID) {
    const player = this.player(userID);
    throw new Error(`${error.message}; states ${this.states()}; pusher ${this.pusher?.codes}; player ${player?.codes}, ${player?.pictureCount} pictures, ${player?.sampleCount} samples`);
  }

  async close() {
    await this.client?.leave();
    this.phone?.off();
  }
}

/// A browser sees and hears a user: through `page/stamped.js`.
export const browserEyes = (member) => ({
  tracks: (userID, kind) => member.page.evaluate(([u, k]) => window.stamp.tracksOf(u).filter((t) => t.kind === k).map((t) => t.id), [userID, kind]),
  async see(userID) {
    const [id] = await this.tracks(userID, 'video');
    return id ? member.page.evaluate((t) => { try { return window.stamp.see(t); } catch { return undefined; } }, id) : undefined;
  },
  async hear(userID) {
    const [id] = await this.tracks(userID, 'audio');
    return id ? member.page.evaluate((t) => { try { return window.stamp.hear(t); } catch { return undefined; } }, id) : undefined;
  },
  async sees(userID, source, timeoutMs = 20_000) {
    const first = await until(`${member.userID} sees ${userID}`, () => this.see(userID), (t) => t?.source === source, timeoutMs);
    return until(`${member.userID} sees ${userID} move`, () => this.see(userID), (t) => t?.source === source && t.timeMs > first.timeMs + 200, timeoutMs);
  },
  hears(userID, source, timeoutMs = 20_000) {
    return until(`${member.userID} hears ${userID}`, () => this.hear(userID), (s) => s === source, timeoutMs);
  },
});
