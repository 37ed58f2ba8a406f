import { EventEmitter } from 'node:events';
import { PLAYER, PUSHER, type PlayerCode, type PusherCode } from './codes';
import type { Phone } from './phone';

export interface ElementEvent<D> {
  readonly type: string;
  readonly detail: D;
  readonly currentTarget: { readonly id: string };
  readonly target: { readonly id: string };
}

export interface StateDetail {
  readonly code: number;
  readonly message: string;
}

export interface NetInfo {
  videoBitrate: number;
  audioBitrate: number;
  videoFPS: number;
  videoGOP: number;
  netSpeed: number;
  netJitter: number;
  netQualityLevel: number;
  videoWidth: number;
  videoHeight: number;
  [name: string]: number;
}

/** How a page hears what became of a call of the API. */
export interface Call {
  success?(result: { errMsg: string }): void;
  fail?(result: { errMsg: string }): void;
  complete?(result: { errMsg: string }): void;
}

export const succeed = (name: string, call?: Call): void => {
  const result = { errMsg: `${name}:ok` };
  call?.success?.(result);
  call?.complete?.(result);
};
export const fail = (name: string, why: string, call?: Call): void => {
  const result = { errMsg: `${name}:fail ${why}` };
  call?.fail?.(result);
  call?.complete?.(result);
};

interface Events {
  statechange: [ElementEvent<StateDetail>];
  netstatus: [ElementEvent<{ info: NetInfo }>];
  error: [ElementEvent<{ errCode: number; errMsg: string }>];
}

/** What `live-pusher` and `live-player` share: codes, figures, retries, and what the phone does to them. */
export abstract class MediaElement extends EventEmitter<Events> {
  /** All state codes so far, oldest first. */
  readonly codes: number[] = [];
  protected suspended = false;
  /** Started, and neither stopped nor given up. */
  protected wanted = false;
  protected paused = false;
  protected removed = false;
  private ticker: NodeJS.Timeout | undefined;
  private retryTimer: NodeJS.Timeout | undefined;
  private dropTimer: NodeJS.Timeout | undefined;
  protected retries = 0;

  constructor(
    protected readonly phone: Phone,
    readonly id: string,
  ) {
    super();
    this.on('error', () => {});
    phone.elements.add(this);
  }

  /** The page took the element away. */
  remove(): void {
    this.removed = true;
    this.halt();
    clearTimeout(this.dropTimer);
    this.phone.elements.delete(this);
  }

  stop(call?: Call): void {
    this.wanted = false;
    this.halt();
    succeed('stop', call);
  }
  /** Picture and sound stop, the connection stays. */
  pause(call?: Call): void {
    this.paused = true;
    succeed('pause', call);
  }
  resume(call?: Call): void {
    this.paused = false;
    succeed('resume', call);
  }

  /** Waits for a state code, also one that came already unless `fresh`. */
  async waitCode(code: PusherCode | PlayerCode, { timeoutMs = 30_000, fresh = false } = {}): Promise<void> {
    if (!fresh && this.codes.includes(code)) return;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.off('statechange', see);
        reject(new Error(`${this.id}: no code ${code} within ${timeoutMs} ms; codes: ${this.codes.join(' ')}`));
      }, timeoutMs);
      const see = (event: ElementEvent<StateDetail>): void => {
        if (event.detail.code !== code) return;
        clearTimeout(timer);
        this.off('statechange', see);
        resolve();
      };
      this.on('statechange', see);
    });
  }

  protected event<D>(type: string, detail: D): ElementEvent<D> {
    return { type, detail, currentTarget: { id: this.id }, target: { id: this.id } };
  }

  protected say(code: PusherCode | PlayerCode): void {
    if (this.removed) return;
    const texts: Record<number, string> = { ...PUSHER, ...PLAYER };
    const message = texts[code] ?? '';
    this.codes.push(code);
    if (this.codes.length > 1000) this.codes.shift();
    this.emit('statechange', this.event('statechange', { code, message }));
    if (code < 0) this.emit('error', this.event('error', { errCode: code, errMsg: message }));
  }

  protected startTicker(): void {
    clearInterval(this.ticker);
    const every = this.phone.options.netStatusMs;
    this.ticker = setInterval(() => {
      const info = this.figures(every / 1000);
      this.emit('netstatus', this.event('netstatus', { info }));
    }, every);
  }

  /** The connection is gone. Three more tries, then the element gives up until it is started again. */
  protected retry(code: PusherCode | PlayerCode, again: () => void, [trying, gaveUp]: readonly [PusherCode | PlayerCode, PusherCode | PlayerCode]): void {
    this.say(code);
    if (this.retries >= this.phone.options.retryCount) {
      this.halt();
      this.say(gaveUp);
      return;
    }
    this.retries += 1;
    this.say(trying);
    clearTimeout(this.retryTimer);
    this.retryTimer = setTimeout(again, this.phone.options.retryMs);
  }

  protected halt(): void {
    clearInterval(this.ticker);
    clearTimeout(this.retryTimer);
    this.close();
  }

  /** @internal The app went to the background. */
  background(): void {
    this.suspended = true;
    this.freeze(true);
    if (this.phone.options.platform !== 'ios') return;
    this.dropTimer = setTimeout(() => this.drop(), this.phone.options.backgroundDropMs);
  }
  /** @internal */
  foreground(): void {
    this.suspended = false;
    clearTimeout(this.dropTimer);
    this.freeze(false);
  }

  /** @internal The network is gone: connections break, new ones fail. */
  abstract networkLost(): void;
  /** Ends the connection and what it needs. */
  protected abstract close(): void;
  protected abstract freeze(frozen: boolean): void;
  protected abstract drop(): void;
  protected abstract figures(seconds: number): NetInfo;
}
