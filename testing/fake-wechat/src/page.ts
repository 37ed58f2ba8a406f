import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { LivePlayer } from './live-player';
import { LivePusher } from './live-pusher';
import type { Phone } from './phone';

/** A rendered page or component. */
export interface Page {
  /** `data` and methods, as the code itself sees them. */
  readonly instance: any;
  readonly data: any;
  /** The rendered text, without markup and with single spaces. */
  text(): string;
  html(): string;
  /** All elements that a class or id selector finds, also inside components. */
  all(selector: string): Node[];
  /** The only one. */
  one(selector: string): Node;
  /** Sends an event to an element, as a finger would. */
  fire(selector: string, event: string, detail?: unknown): Promise<void>;
  tap(selector: string): Promise<void>;
  /** What the page's `triggerEvent` said, oldest first. */
  readonly events: { readonly name: string; readonly detail: any }[];
  close(): void;
}

export interface Node {
  readonly text: string;
  readonly dom: { textContent: string | null; getAttribute(name: string): string | null };
}

interface Rendered {
  dom: any;
  instance: any;
  data: any;
  _exparserNode: any;
  attach(parent: unknown): void;
  detach(): void;
  querySelectorAll(selector: string): Rendered[];
  addEventListener(name: string, listener: (event: any) => void): void;
  dispatchEvent(name: string, options?: object): void;
}

let current: Phone | undefined;
let tools: { simulate: any; utils: any; Part: new (node: unknown) => Rendered; globals: Record<string, any> } | undefined;

/** The renderer wants a document; pages themselves never see it. */
async function prepare(): Promise<NonNullable<typeof tools>> {
  if (tools) return tools;
  const globals = globalThis as Record<string, any>;
  if (!globals.window) {
    const { JSDOM } = (await import('jsdom' as string)) as { JSDOM: new (html: string, options: object) => { window: any } };
    const { window } = new JSDOM('<!doctype html><body></body>', { pretendToBeVisual: true });
    for (const name of ['document', 'Node', 'Element', 'HTMLElement', 'Event', 'CustomEvent', 'DocumentFragment']) globals[name] = window[name];
    globals.window = window;
  }
  const require = createRequire(import.meta.url);
  // The renderer knows paths only; names of npm packages are looked up as the developer tools do.
  const { readJson } = require('miniprogram-simulate/src/utils');
  require('miniprogram-simulate/src/utils').readJson = (file: string): unknown => {
    const json = readJson(file) as { usingComponents?: Record<string, string> } | null;
    for (const [tag, target] of Object.entries(json?.usingComponents ?? {})) {
      const found = npmComponent(path.dirname(file), target);
      if (found) json!.usingComponents![tag] = found;
    }
    return json;
  };
  const simulate = require('miniprogram-simulate');
  const utils = require('miniprogram-simulate/src/utils');
  const inner = createRequire(require.resolve('miniprogram-simulate'));
  registerMedia((inner('j-component') as { register(definition: object): void }).register);
  tools = { simulate, utils, Part: Object.getPrototypeOf(inner('j-component/src/render/component')), globals };
  return tools;
}

/** `package/path` from the nearest `miniprogram_npm`, as a path relative to `folder`. */
function npmComponent(folder: string, target: string): string | undefined {
  if (/^[./]/.test(target) || fs.existsSync(path.join(folder, `${target}.json`))) return undefined;
  for (let up = folder; ; up = path.dirname(up)) {
    const candidate = path.join(up, 'miniprogram_npm', target);
    if (fs.existsSync(`${candidate}.json`)) return path.relative(folder, candidate);
    if (up === path.dirname(up)) return undefined;
  }
}

/** `live-pusher` and `live-player` as components whose attributes and events lead to the media behind them. */
function registerMedia(register: (definition: object) => void): void {
  const attributes = {
    'live-pusher': { url: String, mode: String, autopush: Boolean, muted: Boolean, enableCamera: Boolean, enableMic: Boolean, beauty: Number, whiteness: Number, minBitrate: Number, maxBitrate: Number, devicePosition: String, aspect: String, orientation: String, mirror: Boolean, filter: String, audioReverbType: Number },
    'live-player': { src: String, mode: String, autoplay: Boolean, muted: Boolean, minCache: Number, maxCache: Number, objectFit: String, orientation: String, soundMode: String },
  };
  const defaults: Record<string, unknown> = { mode: 'RTC', enableCamera: true, enableMic: true, minBitrate: 200, maxBitrate: 1000, minCache: 1, maxCache: 3 };
  for (const [tag, types] of Object.entries(attributes)) {
    const names = Object.keys(types);
    register({
      id: tag,
      tagName: `wx-${tag}`,
      template: '<slot/>',
      properties: Object.fromEntries(Object.entries(types).map(([name, type]) => [name, { type, value: defaults[name] ?? type() }])),
      observers: {
        [names.join(',')](this: any, ...values: unknown[]) {
          this.media?.set(Object.fromEntries(names.map((name, i) => [name, values[i]])));
        },
      },
      lifetimes: {
        attached(this: any) {
          if (!current) return;
          const values = Object.fromEntries(names.map((name) => [name, this.data[name]]));
          const id = this.id || tag;
          this.media = tag === 'live-pusher' ? new LivePusher(current, values, id) : new LivePlayer(current, values, id);
          for (const name of ['statechange', 'netstatus', 'error'] as const) {
            this.media.on(name, (event: { detail: object }) => this.triggerEvent(name, event.detail));
          }
        },
        detached(this: any) {
          this.media?.remove();
          this.media = undefined;
        },
      },
    });
  }
}

/**
 * Renders a page (written as a `Component`) or a component of a mini program: `file` without an extension, as in app.json. Only one
 * page can be rendered for a phone at a time.
 */
export async function renderPage(
  phone: Phone,
  file: string,
  { root = path.dirname(file), query = {}, properties = {}, events: names = [] as readonly string[] } = {},
): Promise<Page> {
  const { simulate, utils, Part, globals } = await prepare();
  const { Component, Behavior } = globals;
  Object.assign(phone.globals, { Component, Behavior });
  utils.runJs = (name: string) => phone.load(`${name}.js`, { fresh: true });
  current = phone;
  const id = simulate.load(path.resolve(file), { compiler: 'simulate', rootPath: path.resolve(root) });
  const page: Rendered = simulate.render(id, properties);
  const events: { name: string; detail: any }[] = [];
  for (const name of names) page.addEventListener(name, (event: { detail: unknown }) => events.push({ name, detail: event.detail }));
  const parent = globals.document.createElement('page');
  globals.document.body.append(parent);
  page.attach(parent);
  page.instance.onLoad?.(query);
  page.instance.onShow?.();

  const text = (node: { textContent: string | null }): string => (node.textContent ?? '').replace(/\s+/g, ' ').trim();
  const find = (from: Rendered, selector: string): Rendered[] => {
    const inside: Rendered[] = [];
    const visit = (node: any): void => {
      // Built-in elements are components for the renderer, but hold nothing of their own.
      if (node.shadowRoot?.childNodes && !String(node.is ?? '').startsWith('wx-')) inside.push(new Part(node));
      for (const child of node.childNodes ?? []) visit(child);
    };
    for (const child of from._exparserNode.shadowRoot?.childNodes ?? []) visit(child);
    return [...new Set([...from.querySelectorAll(selector), ...inside.flatMap((part) => find(part, selector))])];
  };
  const one = (selector: string): Rendered => {
    const found = find(page, selector);
    if (found.length !== 1) throw new Error(`${found.length} elements for ${selector} in ${text(page.dom)}`);
    return found[0]!;
  };
  const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
  const fire = async (selector: string, name: string, detail: unknown = {}): Promise<void> => {
    one(selector).dispatchEvent(name, { detail, bubbles: true });
    await settle();
    await settle();
  };
  return {
    get instance() {
      return page.instance;
    },
    get data() {
      return page.data;
    },
    text: () => text(page.dom),
    html: () => page.dom.innerHTML,
    all: (selector) => find(page, selector).map((n) => ({ text: text(n.dom), dom: n.dom })),
    one: (selector) => {
      const node = one(selector);
      return { text: text(node.dom), dom: node.dom };
    },
    fire,
    tap: (selector) => fire(selector, 'tap'),
    events,
    close() {
      page.instance.onUnload?.();
      page.detach();
      parent.remove();
    },
  };
}


