import fs from 'node:fs';
import path from 'node:path';
import vm from 'node:vm';
import { createRequire } from 'node:module';
import http from 'node:http';
import https from 'node:https';
import WebSocket from 'ws';
import { type Call, fail, succeed, type MediaElement } from './element';
import { LivePlayer, type PlayerAttributes } from './live-player';
import { LivePusher, type PusherAttributes } from './live-pusher';
import type { QueryPlace } from './rtmp';

export interface PhoneOptions {
  readonly platform: 'ios' | 'android' | 'devtools';
  /** Number in picture and tone, 0 to 15. */
  readonly source: number;
  readonly camera: { readonly width: number; readonly height: number; readonly fps: number; readonly kbps: number; readonly broken: boolean };
  readonly audio: { readonly rate: number; readonly channels: number; readonly lateMs: number };
  readonly microphoneBroken: boolean;
  /** Allowed domains as in WeChat's console; undefined: nothing is checked, like the switch in the developer tools. */
  readonly domains: { readonly socket?: readonly string[]; readonly request?: readonly string[] } | undefined;
  readonly queryPlace: QueryPlace;
  /** How often a component tries again, and after how long. */
  readonly retryCount: number;
  readonly retryMs: number;
  readonly netStatusMs: number;
  /** How long iOS keeps a connection of a backgrounded app. */
  readonly backgroundDropMs: number;
}

export type PhoneConfig = Partial<Omit<PhoneOptions, 'camera' | 'audio'>> & {
  readonly camera?: Partial<PhoneOptions['camera']>;
  readonly audio?: Partial<PhoneOptions['audio']>;
};

const MAX_SOCKETS = 5;
/** Globals of Node and browsers that a mini program does not have. */
const HIDDEN = ['process', 'Buffer', 'global', 'globalThis', 'window', 'document', 'self', 'navigator', 'fetch', 'WebSocket', 'setImmediate', 'atob', 'btoa', 'TextDecoder', 'TextEncoder'];

interface AppDefinition {
  onLaunch?(options: object): void;
  onShow?(options: object): void;
  onHide?(): void;
  [name: string]: unknown;
}
type Listener = (result: Record<string, unknown>) => void;

/** One phone with WeChat on it and one mini program in the foreground. Each has its own `wx`, so a test can hold many. */
export class Phone {
  readonly options: PhoneOptions;
  readonly elements = new Set<MediaElement>();
  readonly toasts: string[] = [];
  readonly navigations: string[] = [];
  online = true;
  interrupted = false;
  visible = true;
  private readonly storage = new Map<string, string>();
  private readonly sockets = new Set<WebSocket>();
  private readonly listeners = new Map<string, Set<Listener>>();
  /** The mini program's `wx`. */
  readonly wx = this.makeWx();

  constructor(config: PhoneConfig = {}) {
    this.options = {
      platform: 'ios', source: 1, microphoneBroken: false, domains: undefined, queryPlace: 'app', retryCount: 3, retryMs: 3000,
      netStatusMs: 2000, backgroundDropMs: 36_000, ...config,
      camera: { width: 320, height: 240, fps: 15, kbps: 300, broken: false, ...config.camera },
      audio: { rate: 48_000, channels: 1, lateMs: 0, ...config.audio },
    };
  }

  /** Elements as a page would hold them. */
  createPusher(attributes: Partial<PusherAttributes> = {}, id?: string): LivePusher {
    return new LivePusher(this, attributes, id);
  }
  createPlayer(attributes: Partial<PlayerAttributes> = {}, id?: string): LivePlayer {
    return new LivePlayer(this, attributes, id);
  }
  get pusher(): LivePusher | undefined {
    return [...this.elements].find((e): e is LivePusher => e instanceof LivePusher);
  }
  player(id: string): LivePlayer | undefined {
    return [...this.elements].find((e): e is LivePlayer => e instanceof LivePlayer && e.id === id);
  }
  get players(): LivePlayer[] {
    return [...this.elements].filter((e): e is LivePlayer => e instanceof LivePlayer);
  }

  /**
   * Runs a CommonJS file with this phone's `wx`, the way a mini program would: without Node's modules and globals. What it requires
   * runs the same way, once for each phone; `fresh` runs the file itself again.
   */
  load(file: string, { fresh = false } = {}): any {
    const name = path.resolve(file);
    if (fresh) this.modules.delete(name);
    return this.run(name);
  }

  private readonly modules = new Map<string, { exports: unknown }>();
  /** What the code of the mini program sees besides `wx`: `Component`, `App` and the like. */
  readonly globals: Record<string, unknown> = {
    App: (definition: AppDefinition) => {
      this.app = definition;
      definition.onLaunch?.({ path: '', query: {}, scene: 1001 });
    },
    getApp: () => this.app,
    getCurrentPages: () => [],
    global: {},
  };
  private app: AppDefinition | undefined;

  private run(name: string): unknown {
    const known = this.modules.get(name);
    if (known) return known.exports;
    const module = { exports: {} as unknown };
    this.modules.set(name, module);
    if (name.endsWith('.json')) {
      module.exports = JSON.parse(fs.readFileSync(name, 'utf8'));
      return module.exports;
    }
    const given: Record<string, unknown> = {
      ...Object.fromEntries(HIDDEN.map((hidden) => [hidden, undefined])), ...this.globals, wx: this.wx, module, exports: module.exports,
      // A relative path, or a package of the mini program: its entry file, run like the rest.
      require: (id: string) => this.run(/^\.{0,2}\//.test(id) ? createRequire(name).resolve(id) : packageEntry(id, name)),
    };
    const code = vm.compileFunction(fs.readFileSync(name, 'utf8'), Object.keys(given), { filename: name }) as (...values: unknown[]) => void;
    code.apply(module.exports, Object.values(given));
    return module.exports;
  }

  /** The home button. */
  background(): void {
    if (!this.visible) return;
    this.visible = false;
    this.app?.onHide?.();
    this.fire('AppHide', {});
    for (const element of this.elements) element.background();
  }
  /** Back to the mini program. */
  foreground(): void {
    if (this.visible) return;
    this.visible = true;
    for (const element of this.elements) element.foreground();
    this.app?.onShow?.({ path: '', query: {}, scene: 1001 });
    this.fire('AppShow', { path: '', query: {}, scene: 1001 });
  }
  /** A phone call comes in ... */
  interrupt(): void {
    this.interrupted = true;
    this.fire('AudioInterruptionBegin', {});
  }
  /** ... and ends. */
  endInterruption(): void {
    this.interrupted = false;
    this.fire('AudioInterruptionEnd', {});
  }
  goOffline(): void {
    this.online = false;
    for (const socket of this.sockets) socket.terminate();
    for (const element of this.elements) element.networkLost();
    this.fire('NetworkStatusChange', { isConnected: false, networkType: 'none' });
  }
  goOnline(): void {
    this.online = true;
    this.fire('NetworkStatusChange', { isConnected: true, networkType: 'wifi' });
  }
  /** Cuts the WebSockets only: what a gateway restart or a lost route looks like. */
  cutSockets(): void {
    for (const socket of this.sockets) socket.terminate();
  }
  /** Switched off: nothing of it runs afterwards. */
  off(): void {
    for (const element of [...this.elements]) element.remove();
    for (const socket of this.sockets) socket.terminate();
    this.listeners.clear();
  }
  /** How many listeners the app has left on `wx`. */
  get listenerCount(): number {
    return [...this.listeners.values()].reduce((n, set) => n + set.size, 0);
  }
  get socketCount(): number {
    return this.sockets.size;
  }

  private fire(name: string, result: Record<string, unknown>): void {
    for (const listener of [...(this.listeners.get(name) ?? [])]) listener(result);
  }

  private allowed(kind: 'socket' | 'request', url: string): boolean {
    const list = this.options.domains?.[kind];
    if (!this.options.domains) return true;
    const match = /^(\w+):\/\/([^/?#]+)/.exec(url);
    return !!match && (match[1] === 'wss' || match[1] === 'https') && (list ?? []).some((d) => d.replace(/\/$/, '') === `${match[1]}://${match[2]}`);
  }

  private makeWx(): Record<string, any> {
    const phone = this;
    const events: Record<string, unknown> = {};
    for (const name of ['AppShow', 'AppHide', 'NetworkStatusChange', 'AudioInterruptionBegin', 'AudioInterruptionEnd', 'MemoryWarning']) {
      events[`on${name}`] = (listener: Listener): void => {
        const set = phone.listeners.get(name) ?? new Set();
        phone.listeners.set(name, set.add(listener));
      };
      events[`off${name}`] = (listener?: Listener): void => {
        if (listener) phone.listeners.get(name)?.delete(listener);
        else phone.listeners.delete(name);
      };
    }
    const info = () => ({
      platform: phone.options.platform, system: phone.options.platform === 'ios' ? 'iOS 17.0' : 'Android 13', brand: 'fake', model: 'fake-wechat',
      version: '8.0.50', SDKVersion: '3.5.0', language: 'zh_CN', pixelRatio: 2, screenWidth: 375, screenHeight: 812, windowWidth: 375, windowHeight: 724,
      statusBarHeight: 44, safeArea: { left: 0, right: 375, top: 44, bottom: 778, width: 375, height: 734 },
    });
    const plain = (name: string, act?: (call: any) => void) => (call?: Call): void => {
      act?.(call);
      succeed(name, call);
    };
    const store = {
      setStorageSync: (key: string, value: unknown): void => void phone.storage.set(key, JSON.stringify(value) ?? '""'),
      getStorageSync: (key: string): unknown => JSON.parse(phone.storage.get(key) ?? '""'),
      removeStorageSync: (key: string): void => void phone.storage.delete(key),
      clearStorageSync: (): void => phone.storage.clear(),
    };
    return {
      ...events,
      ...store,
      setStorage: (call: Call & { key: string; data: unknown }) => (store.setStorageSync(call.key, call.data), succeed('setStorage', call)),
      getStorage: (call: any) => (phone.storage.has(call.key) ? call.success?.({ errMsg: 'getStorage:ok', data: store.getStorageSync(call.key) }) : fail('getStorage', 'data not found', call)),
      removeStorage: (call: Call & { key: string }) => (store.removeStorageSync(call.key), succeed('removeStorage', call)),
      getSystemInfoSync: info,
      getSystemInfo: (call: any) => call?.success?.({ ...info(), errMsg: 'getSystemInfo:ok' }),
      getDeviceInfo: info,
      getWindowInfo: info,
      getAppBaseInfo: info,
      getNetworkType: (call: any) => call?.success?.({ networkType: phone.online ? 'wifi' : 'none', errMsg: 'getNetworkType:ok' }),
      connectSocket: (call: any) => phone.connectSocket(call),
      request: (call: any) => phone.request(call),
      createLivePusherContext: () => phone.pusherContext(),
      createLivePlayerContext: (id: string) => phone.playerContext(id),
      authorize: plain('authorize'),
      getSetting: (call: any) => call?.success?.({ authSetting: { 'scope.camera': true, 'scope.record': true }, errMsg: 'getSetting:ok' }),
      setKeepScreenOn: plain('setKeepScreenOn'),
      showToast: plain('showToast', (call) => phone.toasts.push(call?.title ?? '')),
      hideToast: plain('hideToast'),
      showLoading: plain('showLoading'),
      hideLoading: plain('hideLoading'),
      showModal: (call: any) => call?.success?.({ confirm: true, cancel: false, errMsg: 'showModal:ok' }),
      setClipboardData: plain('setClipboardData'),
      navigateTo: plain('navigateTo', (call) => phone.navigations.push(call?.url ?? '')),
      redirectTo: plain('redirectTo', (call) => phone.navigations.push(call?.url ?? '')),
      reLaunch: plain('reLaunch', (call) => phone.navigations.push(call?.url ?? '')),
      navigateBack: plain('navigateBack', () => phone.navigations.push('..')),
      setNavigationBarTitle: plain('setNavigationBarTitle'),
      canIUse: () => true,
      nextTick: (run: () => void) => queueMicrotask(run),
      env: { USER_DATA_PATH: 'wxfile://usr' },
    };
  }

  private connectSocket(call: Call & { url: string; protocols?: string[]; header?: Record<string, string> }): Record<string, unknown> {
    const on: Record<string, ((result: any) => void) | undefined> = {};
    const later = (name: string, result: object): void => void setTimeout(() => on[name]?.(result), 0);
    const task = (socket?: WebSocket): Record<string, unknown> => ({
      onOpen: (f: any) => (on.open = f),
      onMessage: (f: any) => (on.message = f),
      onClose: (f: any) => (on.close = f),
      onError: (f: any) => (on.error = f),
      get readyState() {
        return socket?.readyState ?? 3;
      },
      send(options: Call & { data: string | ArrayBuffer }) {
        if (socket?.readyState !== WebSocket.OPEN) {
          fail('sendSocketMessage', 'SocketTask.readyState is not OPEN', options);
          return;
        }
        socket.send(options.data, (error) => (error ? fail('sendSocketMessage', error.message, options) : succeed('sendSocketMessage', options)));
      },
      close(options: Call & { code?: number; reason?: string } = {}) {
        const code = options.code ?? 1000;
        // WeChat takes 1000 and 3000 to 4999 only.
        if (code !== 1000 && (code < 3000 || code > 4999)) {
          fail('closeSocket', 'invalid code', options);
          return;
        }
        if (socket?.readyState === WebSocket.CONNECTING) socket.terminate();
        else socket?.close(code, options.reason);
        succeed('closeSocket', options);
      },
    });
    const refuse = (why: string): Record<string, unknown> => {
      fail('connectSocket', why, call);
      later('error', { errMsg: `connectSocket:fail ${why}` });
      return task();
    };
    if (!this.allowed('socket', call.url)) return refuse('url not in domain list');
    if (this.sockets.size >= MAX_SOCKETS) return refuse('exceed max socket connections');
    if (!this.online) {
      later('error', { errMsg: 'connectSocket:fail network is down' });
      later('close', { code: 1006, reason: 'abnormal closure' });
      return task();
    }
    const socket = new WebSocket(call.url, call.protocols ?? [], { headers: call.header, rejectUnauthorized: false, perMessageDeflate: false });
    this.sockets.add(socket);
    socket.on('open', () => on.open?.({ header: {} }));
    socket.on('message', (data, binary) => {
      const bytes = data as Buffer;
      on.message?.({ data: binary ? bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) : bytes.toString() });
    });
    socket.on('error', (error) => on.error?.({ errMsg: error.message }));
    socket.on('close', (code, reason) => {
      this.sockets.delete(socket);
      on.close?.({ code, reason: reason.toString() });
    });
    succeed('connectSocket', call);
    return task(socket);
  }

  private request(call: any): { abort(): void } {
    if (!this.allowed('request', call.url) || !this.online) {
      setTimeout(() => fail('request', this.online ? 'url not in domain list' : 'network is down', call), 0);
      return { abort() {} };
    }
    const method = (call.method ?? 'GET').toUpperCase();
    const json = typeof call.data === 'object' && call.data !== null && !(call.data instanceof ArrayBuffer);
    const url = new URL(call.url);
    if (method === 'GET' && json) for (const [k, v] of Object.entries(call.data)) url.searchParams.set(k, String(v));
    const body = method === 'GET' || call.data === undefined ? undefined : json ? JSON.stringify(call.data) : call.data instanceof ArrayBuffer ? Buffer.from(call.data) : String(call.data);
    const module = url.protocol === 'https:' ? https : http;
    const request = module.request(url, {
      method, timeout: call.timeout ?? 60_000, rejectUnauthorized: false, headers: { 'content-type': 'application/json', ...call.header },
    } as https.RequestOptions, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (bytes: Buffer) => parts.push(bytes));
      response.on('end', () => {
        const text = Buffer.concat(parts).toString();
        let data: unknown = text;
        if (call.dataType === undefined || call.dataType === 'json') {
          try {
            data = JSON.parse(text);
          } catch {
            data = text;
          }
        }
        const result = { data, statusCode: response.statusCode, header: response.headers, errMsg: 'request:ok' };
        call.success?.(result);
        call.complete?.(result);
      });
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', (error) => fail('request', error.message, call));
    request.end(body);
    return { abort: () => void request.destroy(new Error('abort')) };
  }

  private pusherContext(): Record<string, unknown> {
    const act = (name: 'start' | 'stop' | 'pause' | 'resume' | 'switchCamera') => (call?: Call) =>
      this.pusher ? this.pusher[name](call) : fail(name, 'no live-pusher in this page', call);
    return {
      start: act('start'), stop: act('stop'), pause: act('pause'), resume: act('resume'), switchCamera: act('switchCamera'),
      sendMessage: (call: Call & { msg: string }) => (this.pusher ? this.pusher.sendMessage(call) : fail('sendMessage', 'no live-pusher in this page', call)),
      startPreview: (call?: Call) => succeed('startPreview', call),
      stopPreview: (call?: Call) => succeed('stopPreview', call),
      toggleTorch: (call?: Call) => succeed('toggleTorch', call),
    };
  }

  private playerContext(id: string): Record<string, unknown> {
    const act = (name: 'play' | 'stop' | 'pause' | 'resume' | 'mute') => (call?: Call) => {
      const player = this.player(id);
      if (player) player[name](call);
      else fail(name, `no live-player ${id}`, call);
    };
    return { play: act('play'), stop: act('stop'), pause: act('pause'), resume: act('resume'), mute: act('mute') };
  }
}

/** The file a mini program's `require('name')` reaches: `miniprogram` of its package.json, else `main`. */
function packageEntry(id: string, from: string): string {
  const parts = id.split('/');
  const name = id.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!;
  const rest = parts.slice(name.split('/').length).join('/');
  for (let folder = path.dirname(from); ; folder = path.dirname(folder)) {
    for (const modules of ['miniprogram_npm', 'node_modules']) {
      const root = path.join(folder, modules, name);
      if (!fs.existsSync(root)) continue;
      const file = path.join(root, 'package.json');
      const about = fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, 'utf8')) as { main?: string; miniprogram?: string }) : {};
      if (rest) return createRequire(from).resolve(path.join(root, about.miniprogram ?? '', rest));
      return path.join(root, about.main ?? 'index.js');
    }
    if (folder === path.dirname(folder)) throw new Error(`${id}: no such package for a mini program`);
  }
}
