// RTMP as bytes, for what no client library would send.
import net from 'node:net';

const number = (value) => { const b = Buffer.alloc(9); b.writeDoubleBE(value, 1); return b; };
const text = (value) => { const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value); return Buffer.concat([Buffer.from([2, bytes.length >> 8, bytes.length & 255]), bytes]); };
const key = (name) => text(name).subarray(1);

/// AMF0. Buffers stand for texts of any bytes; what is `raw(…)` goes as it is.
export const raw = (bytes) => ({ rawBytes: Buffer.from(bytes) });
export function amf(...values) {
  return Buffer.concat(values.map((value) => {
    if (value === null) return Buffer.from([5]);
    if (typeof value === 'number') return number(value);
    if (typeof value === 'boolean') return Buffer.from([1, value ? 1 : 0]);
    if (typeof value === 'string' || Buffer.isBuffer(value)) return text(value);
    if (value.rawBytes) return value.rawBytes;
    return Buffer.concat([Buffer.from([3]), ...Object.entries(value).flatMap(([k, v]) => [key(k), amf(v)]), Buffer.from([0, 0, 9])]);
  }));
}

/// The header of a chunk that begins a message, for any chunk stream.
export function chunkHeader({ chunkStream = 3, timeMs = 0, type, stream = 0, size }) {
  const basic = chunkStream < 64 ? [chunkStream] : chunkStream < 320 ? [0, chunkStream - 64] : [1, (chunkStream - 64) & 255, (chunkStream - 64) >> 8];
  const head = Buffer.alloc(11);
  head.writeUIntBE(timeMs, 0, 3);
  head.writeUIntBE(size, 3, 3);
  head[6] = type;
  head.writeUInt32LE(stream, 7);
  return Buffer.concat([Buffer.from(basic), head]);
}

/// The messages in what a server sent, its handshake included; as far as they are whole.
function* messagesIn(bytes) {
  const streams = new Map();
  let chunkSize = 128;
  let at = 1 + 2 * 1536;
  const has = (count) => at + count <= bytes.length;
  while (has(1)) {
    const fmt = bytes[at] >> 6;
    const low = bytes[at] & 63;
    const basic = low > 1 ? 1 : 2 + low;
    const head = [11, 7, 3, 0][fmt];
    if (!has(basic + head)) return;
    const id = low > 1 ? low : bytes.readUIntLE(at + 1, basic - 1) + 64;
    at += basic;
    const chunk = streams.get(id) ?? { parts: [], have: 0 };
    streams.set(id, chunk);
    if (head >= 3) chunk.time = bytes.readUIntBE(at, 3);
    if (head >= 7) Object.assign(chunk, { size: bytes.readUIntBE(at + 3, 3), type: bytes[at + 6] });
    at += head + (chunk.time === 0xffffff ? 4 : 0);
    const size = Math.min(chunkSize, chunk.size - chunk.have);
    if (!has(size)) return;
    chunk.parts.push(bytes.subarray(at, at + size));
    chunk.have += size;
    at += size;
    if (chunk.have < chunk.size) continue;
    const body = Buffer.concat(chunk.parts);
    Object.assign(chunk, { parts: [], have: 0 });
    if (chunk.type === 1) chunkSize = body.readUInt32BE(0);
    yield { type: chunk.type, body };
  }
}

/// The first picture of a message or tag: a key frame, not its configuration.
export const isKeyPicture = (body) => body[0] === 0x17 && body[1] === 1;

/// How long after its connection a player of this stream has the first picture; `query` as in the URL.
export async function firstPictureMs(port, query, limitMs = 10_000) {
  const rtmp = new RawRtmp(port);
  const pieces = [];
  rtmp.connect().play(query);
  const there = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no picture; ${rtmp.status}`)), limitMs);
    rtmp.socket.on('close', () => reject(new Error(`closed; ${rtmp.status}`)));
    rtmp.socket.on('data', (d) => {
      pieces.push(d);
      for (const { type, body } of messagesIn(Buffer.concat(pieces))) {
        if (type !== 9 || !isKeyPicture(body)) continue;
        clearTimeout(timer);
        return resolve(Date.now() - rtmp.startedMs);
      }
    });
  });
  return there.finally(() => rtmp.end());
}

export class RawRtmp {
  constructor(port) {
    this.received = '';
    this.size = 0;
    this.chunkSize = 128;
    this.startedMs = Date.now();
    this.socket = net.connect(port, '127.0.0.1');
    this.socket.on('data', (d) => {
      this.size += d.length;
      if (this.received.length < 100_000) this.received += d.toString('latin1');
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.on('close', () => { this.tookMs = Date.now() - this.startedMs; resolve(this.tookMs); }));
  }

  /// What the server said about a stream.
  get status() { return /NetStream\.(?!Play\.Reset|Play\.Start|Publish\.Start)[A-Za-z.]+/.exec(this.received)?.[0]; }
  send(...buffers) { this.socket.write(Buffer.concat(buffers)); return this; }
  /// The simple handshake; the server's half need not be looked at.
  handshake() { return this.send(Buffer.from([3]), Buffer.alloc(1536), Buffer.alloc(1536)); }
  setChunkSize(size) {
    const body = Buffer.alloc(4);
    body.writeUInt32BE(size);
    this.message({ chunkStream: 2, type: 1 }, body);
    this.chunkSize = size;
    return this;
  }
  message(header, body) {
    const pieces = [chunkHeader({ ...header, size: body.length })];
    for (let at = 0; at < body.length; at += this.chunkSize) {
      if (at) pieces.push(Buffer.from([0xc0 | (header.chunkStream ?? 3)]));
      pieces.push(body.subarray(at, at + this.chunkSize));
    }
    return this.send(...pieces);
  }
  command(stream, ...values) { return this.message({ type: 20, stream }, amf(...values)); }
  connect(app = '') { return this.handshake().command(0, 'connect', 1, { app, tcUrl: 'rtmp://127.0.0.1/' }); }
  publish(name) { return this.command(0, 'createStream', 2, null).command(1, 'publish', 3, null, name, 'live'); }
  play(name) { return this.command(0, 'createStream', 2, null).command(1, 'play', 3, null, name); }
  end() { this.socket.destroy(); }
}
