// A made platform: a virtual clock, sockets that a scripted gateway holds the other end of.
import { DEFAULT_CONFIG, Runner, type ClientEvent, type Config, type Platform, type Socket, type SocketEvents } from '../src/index';

export class FakeSocket implements Socket {
  readonly sent: { name: string; body: Record<string, any> }[] = [];
  closedByClient = false;
  constructor(readonly url: string, readonly events: SocketEvents) {}
  send(text: string): void {
    if (this.closedByClient) throw new Error('sent after close');
    const cut = text.indexOf('=');
    this.sent.push({ name: text.slice(0, cut), body: JSON.parse(text.slice(cut + 1)) });
  }
  close(): void {
    this.closedByClient = true;
  }
  say(name: string, body: object = {}): void {
    this.events.message(`${name}=${JSON.stringify(body)}`);
  }
  last(name: string): Record<string, any> {
    const found = this.sent.filter((m) => m.name === name).at(-1);
    if (!found) throw new Error(`${name} was not sent; sent: ${this.sent.map((m) => m.name).join(', ')}`);
    return found.body;
  }
}

export class World implements Platform {
  now = 1_000_000;
  sockets: FakeSocket[] = [];
  /** false: every connection is refused. */
  listening = true;
  events: ClientEvent[] = [];
  config: Config;
  readonly runner: Runner;
  private timers: { at: number; id: number; network?: true; run: () => void }[] = [];
  private ids = 0;

  constructor(change: Partial<Config> = {}) {
    this.config = { ...DEFAULT_CONFIG, server: 'wss://gate.test/', ...change };
    this.runner = new Runner(this, () => this.config, (event) => this.events.push(event));
  }
  nowMs = (): number => this.now;
  random = (): number => 0.5;
  setTimer(run: () => void, delayMs: number): number {
    this.timers.push({ at: this.now + delayMs, id: ++this.ids, run });
    return this.ids;
  }
  clearTimer(handle: unknown): void {
    this.timers = this.timers.filter((t) => t.id !== handle);
  }
  openSocket(url: string, events: SocketEvents): Socket {
    const socket = new FakeSocket(url, events);
    this.sockets.push(socket);
    const run = this.listening ? events.opened : () => events.closed(1006);
    this.timers.push({ at: this.now + 5, id: ++this.ids, network: true, run });
    return socket;
  }

  /** Lets time pass, running what falls due on the way. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at || a.id - b.id)[0];
      if (!next) break;
      this.timers = this.timers.filter((t) => t !== next);
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    this.now = end;
  }
  get timerCount(): number {
    return this.timers.filter((t) => !t.network).length;
  }
  get socket(): FakeSocket {
    return this.sockets.at(-1)!;
  }
  ofType<T extends ClientEvent['type']>(type: T): Extract<ClientEvent, { type: T }>[] {
    return this.events.filter((e): e is Extract<ClientEvent, { type: T }> => e.type === type);
  }
  states(): string[] {
    return this.ofType('state').map((e) => e.state);
  }

  /** Answers the last `auth`. */
  welcome(body: object = {}): void {
    this.socket.say('auth-res', { rpcid: this.socket.last('auth').rpcid, code: 0, error: '', rtmptoken: 'tok1', rtmphost: 'rtmp.test', players: [], tracks: [], ...body });
  }
  refuse(code: unknown, error = 'no'): void {
    this.socket.say('auth-res', { rpcid: this.socket.last('auth').rpcid, code, error });
  }
  async joined(body: object = {}): Promise<this> {
    const promise = this.runner.join(roomToken('me'), 'data');
    this.advance(10);
    this.welcome(body);
    await promise;
    return this;
  }
}

export function roomToken(userId: string, change: object = {}): string {
  const access = { appId: 'app', roomName: 'room', userId, expireAt: 2_000_000_000, permission: 'user', ...change };
  return `ak:sign:${Buffer.from(JSON.stringify(access)).toString('base64url')}`;
}

export const track = (trackid: string, playerid: string, kind: string, change: object = {}): object => ({
  trackid, playerid, kind, tag: '', muted: false, master: true, mid: '1', versionid: 1, ...change,
});
