import { StateError } from './errors';
import { INITIAL, step, type ClientEvent, type Config, type Effect, type Input, type State } from './machine';
import { parseRoomToken } from './token';

/** A socket as the runner wants it. `close` may be called at any time, also twice. */
export interface Socket {
  send(text: string): void;
  close(): void;
}

export interface SocketEvents {
  opened(): void;
  message(data: unknown): void;
  closed(code: number): void;
}

/** What a platform has to offer. Nothing in this package touches a clock, a dice or a socket of its own. */
export interface Platform {
  nowMs(): number;
  random(): number;
  setTimer(run: () => void, delayMs: number): unknown;
  clearTimer(handle: unknown): void;
  openSocket(url: string, events: SocketEvents): Socket;
}

/** Carries out the effects of the machine. One per client. */
export class Runner {
  private state: State = INITIAL;
  private readonly sockets = new Map<number, Socket>();
  private readonly timers = new Map<string, unknown>();
  private readonly refs = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  private readonly inputs: Input[] = [];
  private nextRef = 1;
  private busy = false;
  private lastFrameMs = 0;

  constructor(
    private readonly platform: Platform,
    private readonly config: () => Config,
    private readonly onEvent: (event: ClientEvent) => void,
  ) {}

  get current(): State {
    return this.state;
  }

  /** Timers and sockets that this runner holds: none after the room is left. */
  get held(): { readonly timers: readonly string[]; readonly sockets: number } {
    return { timers: [...this.timers.keys()], sockets: this.sockets.size };
  }

  async join(token: string, userData: string): Promise<void> {
    const identity = parseRoomToken(token);
    return this.ask((ref) => ({ type: 'join', ref, token, identity, userData }));
  }

  leave(): void {
    this.feed({ type: 'leave' });
  }

  request(name: string, body: object): Promise<void> {
    return this.ask((ref) => ({ type: 'request', ref, name, body }));
  }

  mute(trackId: string, muted: boolean): Promise<void> {
    return this.ask((ref) => ({ type: 'mute', ref, trackId, muted }));
  }

  /** Throws unless the room was joined, so that callers fail where they stand. */
  requireRoom(what: string): void {
    const { phase, joinRef } = this.state;
    if (phase === 'idle' || phase === 'ended' || joinRef !== undefined) throw new StateError(`${what}: not in a room`);
  }

  /** The app or the network is back. Timers may have slept: a socket silent for too long counts as dead. */
  wake(): void {
    this.feed({ type: 'wake', stale: this.platform.nowMs() - this.lastFrameMs > this.config().timing.heartbeatMs });
  }

  feed(input: Input): void {
    this.inputs.push(input);
    if (this.busy) return;
    this.busy = true;
    try {
      for (let next = this.inputs.shift(); next; next = this.inputs.shift()) {
        const context = { nowMs: this.platform.nowMs(), roll: this.platform.random(), config: this.config() };
        const [state, effects] = step(this.state, next, context);
        this.state = state;
        for (const effect of effects) this.carryOut(effect);
      }
    } finally {
      this.busy = false;
    }
  }

  private ask(input: (ref: number) => Input): Promise<void> {
    return new Promise((resolve, reject) => {
      const ref = this.nextRef++;
      this.refs.set(ref, { resolve, reject });
      this.feed(input(ref));
    });
  }

  private carryOut(effect: Effect): void {
    switch (effect.type) {
      case 'open':
        this.open(effect.socket, effect.url);
        break;
      case 'send':
        this.sockets.get(effect.socket)?.send(effect.text);
        break;
      case 'close': {
        const socket = this.sockets.get(effect.socket);
        this.sockets.delete(effect.socket);
        socket?.close();
        break;
      }
      case 'timer': {
        this.cancel(effect.name);
        const run = (): void => {
          this.timers.delete(effect.name);
          this.feed({ type: 'timer', name: effect.name });
        };
        this.timers.set(effect.name, this.platform.setTimer(run, effect.delayMs));
        break;
      }
      case 'cancel':
        this.cancel(effect.name);
        break;
      case 'cancel-all':
        for (const name of [...this.timers.keys()]) this.cancel(name);
        break;
      case 'settle': {
        const waiting = this.refs.get(effect.ref);
        this.refs.delete(effect.ref);
        if (effect.error) waiting?.reject(effect.error);
        else waiting?.resolve();
        break;
      }
      case 'event':
        this.onEvent(effect.event);
        break;
    }
  }

  private open(socket: number, url: string): void {
    const alive = (): boolean => this.sockets.has(socket);
    let opened: Socket | undefined;
    const events: SocketEvents = {
      opened: () => alive() && this.feed({ type: 'opened', socket }),
      message: (data) => {
        if (!alive()) return;
        this.lastFrameMs = this.platform.nowMs();
        this.feed({ type: 'frame', socket, data });
      },
      closed: (code) => {
        if (opened && !alive()) return;
        this.sockets.delete(socket);
        this.feed({ type: 'closed', socket, code });
      },
    };
    try {
      opened = this.platform.openSocket(url, events);
      this.sockets.set(socket, opened);
    } catch {
      this.inputs.push({ type: 'closed', socket, code: 1006 });
    }
  }

  private cancel(name: string): void {
    const handle = this.timers.get(name);
    if (handle === undefined) return;
    this.timers.delete(name);
    this.platform.clearTimer(handle);
  }
}
