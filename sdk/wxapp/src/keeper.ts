import { type WxApi, type WxMediaContext, timers } from './wx';

/** Longer than this away, and a phone has dropped the stream even if no component says so. */
const STALE_AFTER_MS = 30_000;
/** The component has given up: only the app can start it again. */
const GAVE_UP = new Set([-1307, -2301]);
/** The stream runs: 1002 pushing, 2004 playing, 2003 first picture. */
const RUNNING = new Set([1002, 2003, 2004]);
const DELAYS_MS = [500, 1000, 2000, 4000];

interface Stream {
  readonly context: WxMediaContext;
  readonly kind: 'pusher' | 'player';
  failures: number;
  timer: unknown;
  broken: boolean;
}

/**
 * Starts components again that gave up: after the background, after a phone call, after a network loss. While the app is hidden
 * nothing is started, because WeChat would not let it run.
 */
export class MediaKeeper {
  private readonly streams = new Map<string, Stream>();
  private hiddenAtMs: number | undefined;

  constructor(
    private readonly wx: () => WxApi,
    private readonly nowMs: () => number,
  ) {}

  attach(id: string, kind: Stream['kind'], context: WxMediaContext | undefined): void {
    this.detach(id);
    if (context) this.streams.set(id, { context, kind, failures: 0, timer: undefined, broken: false });
  }

  detach(id: string): void {
    const stream = this.streams.get(id);
    if (stream?.timer !== undefined) timers.clear(stream.timer);
    this.streams.delete(id);
  }

  detachAll(): void {
    for (const id of [...this.streams.keys()]) this.detach(id);
  }

  has(id: string): boolean {
    return this.streams.has(id);
  }

  /** A state code of a component. */
  handleState(id: string, code: number): void {
    const stream = this.streams.get(id);
    if (!stream) return;
    if (RUNNING.has(code)) {
      stream.failures = 0;
      stream.broken = false;
    } else if (GAVE_UP.has(code)) {
      stream.broken = true;
      if (this.hiddenAtMs === undefined) this.schedule(stream);
    }
  }

  handleHide(): void {
    this.hiddenAtMs ??= this.nowMs();
    for (const stream of this.streams.values()) {
      if (stream.timer !== undefined) timers.clear(stream.timer);
      stream.timer = undefined;
    }
  }

  handleShow(): void {
    const away = this.hiddenAtMs === undefined ? 0 : this.nowMs() - this.hiddenAtMs;
    this.hiddenAtMs = undefined;
    for (const stream of this.streams.values()) {
      if (stream.broken || away > STALE_AFTER_MS) this.restart(stream);
      else if (away > 0) stream.context.resume?.();
    }
  }

  /** The phone call is over. */
  handleInterruptionEnd(): void {
    if (this.hiddenAtMs !== undefined) return;
    for (const stream of this.streams.values()) {
      if (stream.broken) this.restart(stream);
      else stream.context.resume?.();
    }
  }

  private schedule(stream: Stream): void {
    if (stream.timer !== undefined) return;
    const delayMs = DELAYS_MS[Math.min(stream.failures, DELAYS_MS.length - 1)] ?? 4000;
    stream.failures += 1;
    stream.timer = timers.set(() => {
      stream.timer = undefined;
      this.restart(stream);
    }, delayMs);
  }

  private restart(stream: Stream): void {
    stream.broken = false;
    stream.context.stop?.();
    if (stream.kind === 'pusher') stream.context.start?.();
    else stream.context.play?.();
  }
}
