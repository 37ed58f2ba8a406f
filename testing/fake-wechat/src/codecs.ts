// Encoders and decoders: ffmpeg processes with raw media on the other end.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { adts, annexB, DELIMITER, FlvReader, type Media, type Tag } from './flv';

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

const running = new Set<Child>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** How many codec processes live: a test can see that nothing was left behind. */
export const codecProcesses = (): number => running.size;

function ffmpeg(args: readonly string[], onData: (bytes: Buffer) => void, onEnd: (error: string) => void): Child {
  const child = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', '-threads', '1', '-probesize', '32', '-analyzeduration', '0', ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  let errors = '';
  child.stdout.on('data', onData);
  child.stderr.on('data', (bytes: Buffer) => (errors = (errors + bytes.toString()).slice(-2000)));
  child.stdin.on('error', () => {});
  child.on('error', (error) => {
    running.delete(child);
    onEnd(error.message);
  });
  child.on('close', () => {
    running.delete(child);
    onEnd(errors);
  });
  return child;
}

abstract class Codec {
  protected child: Child | undefined;
  protected over = false;
  /** What ffmpeg complained about, once it ended by itself. */
  failure: string | undefined;

  close(): void {
    this.over = true;
    this.child?.kill('SIGKILL');
  }
  protected feed(bytes: Buffer): boolean {
    if (this.over || !this.child?.stdin.writable) return false;
    return this.child.stdin.write(bytes);
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
    this.feed(Buffer.from(luma));
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
    this.feed(Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength));
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
