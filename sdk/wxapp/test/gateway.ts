// A scripted gateway: a real WebSocket server that says what the test wants.
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export interface Peer {
  readonly socket: WebSocket;
  readonly got: { name: string; body: Record<string, any> }[];
}

export class Gateway {
  readonly peers: Peer[] = [];
  /** What `auth-res` says besides code 0. */
  room: Record<string, unknown> = { rtmptoken: 'tok1', rtmphost: 'rtmp.test:1935', players: [], tracks: [] };
  /** Answers other than `code: 0`, by message name. */
  refuse: Record<string, { code: number; error: string }> = {};
  private server: WebSocketServer | undefined;
  private port = 0;

  async start(): Promise<this> {
    const server = new WebSocketServer({ port: this.port, host: '127.0.0.1' });
    this.server = server;
    await new Promise((resolve) => server.on('listening', resolve));
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => {
      const peer: Peer = { socket, got: [] };
      this.peers.push(peer);
      socket.on('message', (data) => {
        const text = data.toString();
        const cut = text.indexOf('=');
        const [name, body] = [text.slice(0, cut), JSON.parse(text.slice(cut + 1))];
        peer.got.push({ name, body });
        if (!body.rpcid) return;
        const answer = this.refuse[name] ?? { code: 0, error: '' };
        this.say(`${name}-res`, { rpcid: body.rpcid, ...answer, ...(name === 'auth' && answer.code === 0 ? this.room : {}) }, peer);
      });
    });
    return this;
  }
  get url(): string {
    return `ws://127.0.0.1:${this.port}/`;
  }
  get last(): Peer {
    return this.peers.at(-1)!;
  }
  say(name: string, body: object, peer = this.last): void {
    peer.socket.send(`${name}=${JSON.stringify(body)}`);
  }
  got(name: string): Record<string, any>[] {
    return this.peers.flatMap((p) => p.got).filter((m) => m.name === name).map((m) => m.body);
  }
  stop(): void {
    for (const peer of this.peers) peer.socket.terminate();
    this.server?.close();
  }
}

export const roomToken = (userId: string): string =>
  `ak:sign:${Buffer.from(JSON.stringify({ appId: 'app', roomName: 'room', userId, expireAt: 2e9, permission: 'user' })).toString('base64url')}`;

export const track = (trackid: string, playerid: string, kind: string, change: object = {}): object => ({
  trackid, playerid, kind, tag: 'debug', muted: false, master: true, mid: '1', versionid: 1, ...change,
});

export async function until<T>(what: string, read: () => T, timeoutMs = 20_000): Promise<NonNullable<T>> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = read();
    if (value !== undefined && value !== null && value !== false) return value as NonNullable<T>;
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
