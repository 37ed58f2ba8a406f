// Encoders and decoders: ffmpeg processes with raw media on the other end.
import { type ChildProcess, spawn } from 'node:child_process';
import { adts, annexB, DELIMITER, FlvReader, type Media, type Tag } from './flv';

/**
 * Starting a process stops the whole parent until the child runs, and a busy machine takes its time: a small process of its own
 * starts the codecs, so that sockets are served meanwhile.
 */
const HOST = `
const { spawn } = require('node:child_process');
const children = new Map();
process.on('message', ({ id, args, bytes, close }) => {
  if (args) {
    const child = spawn('ffmpeg', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    children.set(id, child);
    let errors = '';
    const end = (error) => children.delete(id) && process.send({ id, end: error });
    child.stdout.on('data', (data) => process.send({ id, data }));
    child.stderr.on('data', (data) => { errors = (errors + data).slice(-2000); });
    child.stdin.on('error', () => {});
    child.on('error', (error) => end(error.message));
    child.on('close', () => end(errors));
  } else if (bytes) {
    const stdin = children.get(id)?.stdin;
    if (stdin?.writable) stdin.write(bytes);
  } else if (close) {
    children.get(id)?.kill('SIGKILL');
  }
});
process.on('disconnect', () => {
  for (const child of children.values()) child.kill('SIGKILL');
  process.exit();
});
`;

interface Child {
  write(bytes: Uint8Array): void;
  kill(): void;
}

let host: ChildProcess | undefined;
let lastId = 0;
const running = new Map<number, { onData: (bytes: Buffer) => void; onEnd: (error: string) => void }>();

/** How many codec processes live: a test can see that nothing was left behind. */
export const codecProcesses = (): number => running.size;

function codecHost(): ChildProcess {
  if (host) return host;
  host = spawn(process.execPath, ['-e', HOST], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' });
  host.unref();
  host.channel?.unref();
  host.on('message', ({ id, data, end }: { id: number; data?: Uint8Array; end?: string }) => {
    const owner = running.get(id);
    if (data) owner?.onData(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    if (end === undefined) return;
    running.delete(id);
    owner?.onEnd(end);
  });
  return host;
}

function ffmpeg(args: readonly string[], onData: (bytes: Buffer) => void, onEnd: (error: string) => void): Child {
  const id = ++lastId;
  const codecs = codecHost();
  running.set(id, { onData, onEnd });
  codecs.send({ id, args: ['-hide_banner', '-loglevel', 'error', '-nostdin', '-threads', '1', '-probesize', '32', '-analyzeduration', '0', ...args] });
  return {
    write: (bytes) => codecs.send({ id, bytes }),
    kill: () => codecs.send({ id, close: true }),
  };
}

abstract class Codec {
  protected child: Child | undefined;
  protected over = false;
  /** What ffmpeg complained about, once it ended by itself. */
  failure: string | undefined;

  close(): void {
    this.over = true;
    this.child?.kill();
  }
  protected feed(bytes: Uint8Array): void {
    if (!this.over && this.failure === undefined) this.child?.write(bytes);
  }
  protected ended = (errors: string): void => {
    if (!this.over) this.failure = errors || 'ended';
  };
}

export interface VideoFormat {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  readonly kbps: number;
}

/** Luma planes in, FLV video tags out: a sequence header and one tag for each picture, no B-frames. */
export class VideoEncoder extends Codec {
  private readonly reader = new FlvReader();

  constructor(readonly format: VideoFormat, onTag: (tag: Tag) => void) {
    super();
    const { width, height, fps, kbps } = format;
    this.child = ffmpeg([
      '-f', 'rawvideo', '-pix_fmt', 'gray', '-s', `${width}x${height}`, '-r', `${fps}`, '-i', 'pipe:0',
      '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-profile:v', 'baseline', '-pix_fmt', 'yuv420p', '-bf', '0',
      '-g', `${fps * 2}`, '-b:v', `${kbps}k`, '-maxrate', `${kbps}k`, '-bufsize', `${kbps}k`,
      '-flush_packets', '1', '-flvflags', 'no_duration_filesize', '-f', 'flv', 'pipe:1',
    ], (bytes) => {
      if (this.over) return;
      for (const tag of this.reader.push(bytes)) if (tag.type === 9) onTag(tag);
    }, this.ended);
  }
  encode(luma: Uint8Array): void {
    this.feed(luma);
  }
}

export const PCM_RATE = 48_000;
export const AAC_FRAME = 1024;

/** 48 kHz mono PCM in, FLV audio tags out. */
export class AudioEncoder extends Codec {
  private readonly reader = new FlvReader();

  constructor(onTag: (tag: Tag) => void, { rate = 48_000, channels = 1 } = {}) {
    super();
    this.child = ffmpeg([
      '-f', 's16le', '-ar', `${PCM_RATE}`, '-ac', '1', '-i', 'pipe:0',
      '-c:a', 'aac', '-b:a', '64k', '-ar', `${rate}`, '-ac', `${channels}`,
      '-flush_packets', '1', '-flvflags', 'no_duration_filesize', '-f', 'flv', 'pipe:1',
    ], (bytes) => {
      if (this.over) return;
      for (const tag of this.reader.push(bytes)) if (tag.type === 8) onTag(tag);
    }, this.ended);
  }
  encode(samples: Int16Array): void {
    this.feed(new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength));
  }
}

/** Pictures come out in this size whatever the stream's is, so that one reader fits all. */
export const VIEW = { width: 160, height: 120 } as const;

export class VideoDecoder extends Codec {
  private readonly parts: Buffer[] = [];
  private have = 0;
  private lengthSize = 4;
  private started = false;

  constructor(onPicture: (luma: Buffer) => void) {
    super();
    const size = VIEW.width * VIEW.height;
    this.child = ffmpeg([
      '-flags', 'low_delay', '-f', 'h264', '-i', 'pipe:0', '-an', '-vf', `scale=${VIEW.width}:${VIEW.height}`, '-pix_fmt', 'gray',
      '-vsync', 'passthrough', '-flush_packets', '1', '-f', 'rawvideo', 'pipe:1',
    ], (bytes) => {
      if (this.over) return;
      this.parts.push(bytes);
      this.have += bytes.length;
      if (this.have < size) return;
      let all = Buffer.concat(this.parts);
      for (; all.length >= size; all = all.subarray(size)) onPicture(all.subarray(0, size));
      this.parts.length = 0;
      this.parts.push(all);
      this.have = all.length;
    }, this.ended);
  }
  configure(config: Extract<Media, { kind: 'avc-config' }>): void {
    this.lengthSize = config.lengthSize;
    this.started = false;
    this.feed(config.parameterSets);
  }
  /** False for what comes before the first key frame. */
  decode(frame: Extract<Media, { kind: 'avc' }>): boolean {
    this.started ||= frame.keyFrame;
    if (this.started) this.feed(Buffer.concat([annexB(frame.avcc, this.lengthSize), DELIMITER]));
    return this.started;
  }
}

export class AudioDecoder extends Codec {
  private config: Extract<Media, { kind: 'aac-config' }> | undefined;
  private odd = Buffer.alloc(0) as Buffer;

  constructor(onSamples: (samples: Int16Array) => void) {
    super();
    this.child = ffmpeg(['-f', 'aac', '-i', 'pipe:0', '-vn', '-f', 's16le', '-ar', `${PCM_RATE}`, '-ac', '1', '-flush_packets', '1', 'pipe:1'], (bytes) => {
      if (this.over) return;
      const all = Buffer.concat([this.odd, bytes]);
      const even = all.length & ~1;
      this.odd = Buffer.from(all.subarray(even));
      const samples = new Int16Array(even / 2);
      for (let i = 0; i < samples.length; ++i) samples[i] = all.readInt16LE(i * 2);
      onSamples(samples);
    }, this.ended);
  }
  configure(config: Extract<Media, { kind: 'aac-config' }>): void {
    this.config = config;
  }
  decode(frame: Buffer): void {
    if (this.config) this.feed(adts(frame, this.config));
  }
}
