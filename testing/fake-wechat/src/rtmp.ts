import { EventEmitter } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { type Amf, readAmf, writeAmf } from './amf';

/**
 * Where the query of an address like `rtmp://host/?a=b` goes. Common client libraries put it into `app`; what WeChat's components
 * do is not documented.
 */
export type QueryPlace = 'app' | 'stream' | 'tcUrl';

export interface RtmpTarget {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  readonly app: string;
  readonly stream: string;
  readonly tcUrl: string;
}

export function parseRtmpUrl(url: string, place: QueryPlace = 'app'): RtmpTarget {
  const match = /^(rtmps?):\/\/([^/:?]+|\[[^\]]+\])(?::(\d+))?\/?(.*)$/.exec(url);
  if (!match) throw new Error('not an RTMP address');
  const [, scheme, host = '', port, rest = ''] = match;
  const secure = scheme === 'rtmps';
  const base = { host: host.replace(/^\[|\]$/g, ''), port: Number(port ?? (secure ? 443 : 1935)), secure };
  const origin = `${scheme}://${host}${port ? `:${port}` : ''}`;
  if (place === 'tcUrl') return { ...base, app: '', stream: '', tcUrl: url };
  const query = rest.indexOf('?');
  const cut = (query < 0 ? rest : rest.slice(0, query)).lastIndexOf('/');
  if (cut >= 0) {
    const app = rest.slice(0, cut);
    return { ...base, app, stream: rest.slice(cut + 1), tcUrl: `${origin}/${app}` };
  }
  return place === 'app' ? { ...base, app: rest, stream: '', tcUrl: `${origin}/${rest}` } : { ...base, app: '', stream: rest, tcUrl: `${origin}/` };
}

export interface RtmpMessage {
  readonly type: number;
  readonly timestampMs: number;
  readonly data: Buffer;
}

interface Incoming {
  timestamp: number;
  delta: number;
  length: number;
  type: number;
  extended: boolean;
  parts: Buffer[];
  have: number;
}

const OUT_CHUNK = 4096;
const MAX_MESSAGE = 16 << 20;

export interface RtmpEvents {
  /** TCP and the handshake are done. */
  handshake: [];
  /** `connect` was answered. */
  connected: [];
  status: [code: string, info: Record<string, Amf>];
  message: [RtmpMessage];
  /** The server said that the stream is over. */
  eof: [];
  /** `stage` is how far it came. */
  close: [stage: 'connect' | 'handshake' | 'open', error?: Error];
}

/** One RTMP connection that publishes or plays one stream. */
export class RtmpClient extends EventEmitter<RtmpEvents> {
  private socket: net.Socket | undefined;
  private held: Buffer = Buffer.alloc(0);
  private stage: 'connect' | 'handshake' | 'open' = 'connect';
  private inChunk = 128;
  private window = 0;
  private received = 0;
  private acknowledged = 0;
  private readonly streams = new Map<number, Incoming>();
  private readonly answers = new Map<number, (values: Amf[]) => void>();
  private transaction = 0;
  private streamId = 0;
  private over = false;
  bytesSent = 0;
  bytesReceived = 0;

  constructor(
    private readonly target: RtmpTarget,
    private readonly mode: 'publish' | 'play',
    private readonly chunkBytes = OUT_CHUNK,
  ) {
    super();
  }

  start(): this {
    const { host, port, secure } = this.target;
    const socket = secure ? tls.connect({ host, port, rejectUnauthorized: false, servername: host }) : net.connect({ host, port });
    this.socket = socket;
    socket.setNoDelay(true);
    let failure: Error | undefined;
    socket.on(secure ? 'secureConnect' : 'connect', () => {
      this.stage = 'handshake';
      const c1 = Buffer.alloc(1537, 0x5a);
      c1[0] = 3;
      c1.fill(0, 1, 9);
      socket.write(c1);
    });
    socket.on('data', (bytes: Buffer) => {
      this.bytesReceived += bytes.length;
      try {
        this.read(bytes);
      } catch (error) {
        failure = error as Error;
        socket.destroy();
      }
    });
    socket.on('error', (error) => (failure = error));
    socket.on('close', () => {
      if (this.over) return;
      this.over = true;
      this.emit('close', this.stage, failure);
    });
    return this;
  }

  /** No more events afterwards. */
  close(): void {
    this.over = true;
    if (this.stage === 'open' && this.streamId) this.command('deleteStream', 0, null, this.streamId);
    this.socket?.end();
    this.socket?.destroySoon();
  }
  /** Like a cable that was cut: the other side learns nothing but a reset. */
  cut(): void {
    this.socket?.destroy();
  }
  /** Stops reading; TCP makes the server wait. */
  freeze(frozen: boolean): void {
    if (frozen) this.socket?.pause();
    else this.socket?.resume();
  }
  get queuedBytes(): number {
    return this.socket?.writableLength ?? 0;
  }

  /** Sends an audio (8), video (9) or data (18) message of the stream. */
  send(type: number, timestampMs: number, data: Buffer): void {
    this.write(type === 8 ? 4 : type === 9 ? 6 : 5, type, this.streamId, timestampMs, data);
  }

  private write(chunkStream: number, type: number, stream: number, timestampMs: number, data: Buffer): void {
    if (!this.socket?.writable) return;
    const timestamp = timestampMs >>> 0;
    const extended = timestamp >= 0xffffff;
    const head = Buffer.alloc(12 + (extended ? 4 : 0));
    head[0] = chunkStream;
    head.writeUIntBE(extended ? 0xffffff : timestamp, 1, 3);
    head.writeUIntBE(data.length, 4, 3);
    head[7] = type;
    head.writeUInt32LE(stream, 8);
    if (extended) head.writeUInt32BE(timestamp, 12);
    const again = Buffer.alloc(1 + (extended ? 4 : 0));
    again[0] = 0xc0 | chunkStream;
    if (extended) again.writeUInt32BE(timestamp, 1);
    const parts: Buffer[] = [head, data.subarray(0, this.chunkBytes)];
    for (let at = this.chunkBytes; at < data.length; at += this.chunkBytes) parts.push(again, data.subarray(at, at + this.chunkBytes));
    const bytes = Buffer.concat(parts);
    this.bytesSent += bytes.length;
    this.socket.write(bytes);
  }

  private control(type: number, value: number): void {
    const data = Buffer.alloc(4);
    data.writeUInt32BE(value);
    this.write(2, type, 0, 0, data);
  }

  private command(name: string, stream: number, ...values: Amf[]): Promise<Amf[]> {
    const id = ++this.transaction;
    this.write(3, 20, stream, 0, writeAmf(name, id, ...values));
    return new Promise((resolve) => this.answers.set(id, resolve));
  }

  private read(bytes: Buffer): void {
    this.held = this.held.length ? Buffer.concat([this.held, bytes]) : bytes;
    if (this.stage === 'handshake') {
      if (this.held.length < 1 + 1536 * 2) return;
      if (this.held[0] !== 3) throw new Error(`RTMP version ${this.held[0]}`);
      this.socket?.write(this.held.subarray(1, 1537));
      this.held = this.held.subarray(1 + 1536 * 2);
      this.stage = 'open';
      this.emit('handshake');
      void this.open();
    }
    this.received += bytes.length;
    if (this.window && this.received - this.acknowledged >= this.window / 2) {
      this.acknowledged = this.received;
      this.control(3, this.received >>> 0);
    }
    while (this.readChunk());
  }

  private async open(): Promise<void> {
    this.control(1, this.chunkBytes);
    const { app, tcUrl, stream } = this.target;
    const about: Amf = this.mode === 'publish'
      ? { app, type: 'nonprivate', flashVer: 'FMLE/3.0 (compatible; fake-wechat)', tcUrl }
      : { app, flashVer: 'LNX 9,0,124,2', tcUrl, fpad: false, capabilities: 15, audioCodecs: 4071, videoCodecs: 252, videoFunction: 1 };
    const [name] = await this.command('connect', 0, about);
    if (name !== '_result') return;
    this.emit('connected');
    if (this.mode === 'publish') {
      void this.command('releaseStream', 0, null, stream);
      void this.command('FCPublish', 0, null, stream);
    }
    const [created, , , id] = await this.command('createStream', 0, null);
    if (created !== '_result' || typeof id !== 'number') return;
    this.streamId = id;
    if (this.mode === 'publish') {
      void this.command('publish', id, null, stream, 'live');
      return;
    }
    void this.command('play', id, null, stream, -1000);
    const buffer = Buffer.alloc(10);
    buffer.writeUInt16BE(3);
    buffer.writeUInt32BE(id, 2);
    buffer.writeUInt32BE(100, 6);
    this.write(2, 4, 0, 0, buffer);
  }

  private readChunk(): boolean {
    const b = this.held;
    if (b.length < 1) return false;
    const format = b[0]! >> 6;
    let id = b[0]! & 63;
    let at = 1;
    if (id < 2) {
      if (b.length < (id === 0 ? 2 : 3)) return false;
      const wide = id === 1;
      id = 64 + b[1]! + (wide ? b[2]! * 256 : 0);
      at = wide ? 3 : 2;
    }
    const headSize = [11, 7, 3, 0][format]!;
    if (b.length < at + headSize) return false;
    let s = this.streams.get(id);
    if (!s) {
      if (format !== 0 && format !== 1) throw new Error('chunk without a beginning');
      s = { timestamp: 0, delta: 0, length: 0, type: 0, extended: false, parts: [], have: 0 };
      this.streams.set(id, s);
    }
    let field = format < 3 ? b.readUIntBE(at, 3) : s.extended ? 0xffffff : 0;
    const length = format < 2 ? b.readUIntBE(at + 3, 3) : s.length;
    const type = format < 2 ? b[at + 6]! : s.type;
    at += headSize;
    const extended = field === 0xffffff;
    if (extended) {
      if (b.length < at + 4) return false;
      field = b.readUInt32BE(at);
      at += 4;
    }
    if (length > MAX_MESSAGE) throw new Error('message too large');
    const size = Math.min(this.inChunk, length - s.have);
    if (b.length < at + size) return false;
    s.extended = extended;
    s.length = length;
    s.type = type;
    if (s.have === 0) {
      if (format === 0) s.timestamp = field;
      else {
        if (format < 3) s.delta = field;
        s.timestamp = (s.timestamp + s.delta) >>> 0;
      }
      if (format === 0) s.delta = 0;
    }
    s.parts.push(b.subarray(at, at + size));
    s.have += size;
    this.held = b.subarray(at + size);
    if (s.have >= s.length) {
      const data = Buffer.concat(s.parts);
      s.parts = [];
      s.have = 0;
      this.handle({ type: s.type, timestampMs: s.timestamp, data });
    }
    return true;
  }

  private handle(message: RtmpMessage): void {
    const { type, data } = message;
    if (type === 1) this.inChunk = Math.max(1, data.readUInt32BE(0) & 0x7fffffff);
    else if (type === 5) this.window = data.readUInt32BE(0);
    else if (type === 6) this.control(5, data.readUInt32BE(0));
    else if (type === 4) {
      const event = data.readUInt16BE(0);
      if (event === 6) this.write(2, 4, 0, 0, Buffer.concat([Buffer.from([0, 7]), data.subarray(2, 6)]));
      if (event === 1) this.emit('eof');
    } else if (type === 20 || type === 17) this.answer(readAmf(type === 17 ? data.subarray(1) : data));
    else if (type === 8 || type === 9 || type === 18) this.emit('message', message);
  }

  private answer(values: Amf[]): void {
    const [name, id] = values;
    if (name === 'onStatus') {
      const info = (values[3] ?? {}) as Record<string, Amf>;
      this.emit('status', String(info.code ?? ''), info);
      return;
    }
    if (typeof id !== 'number') return;
    const info = values[3];
    if (name === '_error' && typeof info === 'object' && info !== null && 'code' in info) this.emit('status', String(info.code), info);
    this.answers.get(id)?.(values);
    this.answers.delete(id);
  }
}
