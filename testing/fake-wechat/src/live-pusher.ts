import { AAC_FRAME, AudioEncoder, PCM_RATE, VideoEncoder } from './codecs';
import { type Call, fail, MediaElement, type NetInfo, succeed } from './element';
import { parseMedia, type Tag } from './flv';
import type { Phone } from './phone';
import { drawPicture, toneOf } from './picture';
import { parseRtmpUrl, RtmpClient } from './rtmp';
import { writeAmf } from './amf';

/** Attributes of the element, camel-cased. Those that change nothing here are accepted and can be read back. */
export interface PusherAttributes {
  url: string;
  mode: 'SD' | 'HD' | 'FHD' | 'RTC';
  autopush: boolean;
  muted: boolean;
  enableCamera: boolean;
  enableMic: boolean;
  beauty: number;
  whiteness: number;
  minBitrate: number;
  maxBitrate: number;
  [name: string]: unknown;
}

const SEI_UUID = Buffer.from('e6f0a3b2c4d54e5f8a9b0c1d2e3f4a5b', 'hex');

/**
 * `live-pusher`: shows a camera picture with a time code and a microphone with a tone, and really pushes both as RTMP.
 *
 * stopped --start--> connecting --handshake 1001--> --publish 1002--> pushing --loss 3004/3005, 1102--> connecting ... --> -1307
 */
export class LivePusher extends MediaElement {
  readonly attributes: PusherAttributes;
  private client: RtmpClient | undefined;
  private video: VideoEncoder | undefined;
  private audio: AudioEncoder | undefined;
  private clock: NodeJS.Timeout | undefined;
  private pushing = false;
  private startedMs = 0;
  private pictures = 0;
  private captured: number[] = [];
  private audioStartMs = 0;
  private recording = false;
  private samples = 0;
  private audioFrames = 0;
  private front = true;
  private seis: string[] = [];
  private counted = { video: 0, audio: 0, pictures: 0 };
  private connections = 0;

  constructor(phone: Phone, attributes: Partial<PusherAttributes> = {}, id = 'pusher') {
    super(phone, id);
    this.attributes = {
      url: '', mode: 'RTC', autopush: false, muted: false, enableCamera: true, enableMic: true, beauty: 0, whiteness: 0,
      minBitrate: 200, maxBitrate: 1000, ...attributes,
    };
    if (this.attributes.autopush && this.attributes.url) queueMicrotask(() => this.start());
  }

  /** What the camera delivers now. */
  get size(): { width: number; height: number } {
    const { width, height } = this.phone.options.camera;
    return this.front ? { width, height } : { width: height, height: width };
  }
  /** True while media leaves the phone. */
  get isPushing(): boolean {
    return this.pushing;
  }
  /** Connections made so far. */
  get connectionCount(): number {
    return this.connections;
  }

  /** New attribute values, as a page's `setData` brings them. */
  set(change: Partial<PusherAttributes>): void {
    const before = { ...this.attributes };
    Object.assign(this.attributes, change);
    if (change.url !== undefined && change.url !== before.url) {
      if (this.wanted) this.stop();
      if (this.attributes.autopush && this.attributes.url) this.start();
    } else if (change.autopush && !before.autopush && this.attributes.url && !this.wanted) {
      this.start();
    }
    if (change.enableCamera !== undefined && change.enableCamera !== before.enableCamera && this.pushing) this.startVideo();
  }

  start(call?: Call): void {
    if (!this.attributes.url) {
      fail('start', 'url is empty', call);
      return;
    }
    if (this.wanted) this.stop();
    this.wanted = true;
    this.retries = 0;
    if (this.attributes.enableCamera && !this.phone.options.camera.broken) this.say(1003);
    if (this.phone.options.camera.broken) this.say(-1301);
    if (this.phone.options.microphoneBroken) this.say(-1302);
    this.connect();
    succeed('start', call);
  }

  switchCamera(call?: Call): void {
    this.front = !this.front;
    if (this.pushing) this.startVideo();
    succeed('switchCamera', call);
  }
  /** Sends a text inside the video (SEI). */
  sendMessage(call: Call & { msg: string }): void {
    this.seis.push(call.msg);
    succeed('sendMessage', call);
  }

  private connect(): void {
    this.close();
    if (!this.phone.online) {
      this.retry(3002, () => this.connect(), [1102, -1307]);
      return;
    }
    // Ready before the server asks for pictures.
    this.startVideo();
    this.prepareAudio();
    let target;
    try {
      target = parseRtmpUrl(this.attributes.url, this.phone.options.queryPlace);
    } catch {
      this.wanted = false;
      this.say(3002);
      this.say(-1307);
      return;
    }
    const client = new RtmpClient(target, 'publish');
    this.client = client;
    this.connections += 1;
    client.on('handshake', () => this.say(1001));
    client.on('status', (code) => {
      if (code === 'NetStream.Publish.Start') this.begin();
    });
    client.on('close', (stage, error) => {
      this.close();
      const dns = (error as NodeJS.ErrnoException | undefined)?.code === 'ENOTFOUND';
      const code = stage === 'connect' ? (dns ? 3001 : 3002) : stage === 'handshake' ? 3003 : error ? 3005 : 3004;
      this.retry(code, () => this.connect(), [1102, -1307]);
    });
    client.start();
  }

  private begin(): void {
    this.say(1002);
    this.retries = 0;
    this.pushing = true;
    this.startedMs = Date.now();
    const { camera } = this.phone.options;
    const { width, height } = this.size;
    this.client?.send(18, 0, writeAmf('@setDataFrame', 'onMetaData', {
      width, height, framerate: camera.fps, videocodecid: 7, audiocodecid: 10, audiosamplerate: PCM_RATE, audiochannels: 1,
    }));
    this.audioStartMs = 0;
    this.startClock();
    this.startTicker();
  }

  private startVideo(): void {
    this.video?.close();
    this.video = undefined;
    this.captured = [];
    if (!this.attributes.enableCamera || this.phone.options.camera.broken || !this.wanted) return;
    const { fps, kbps } = this.phone.options.camera;
    let first = true;
    this.video = new VideoEncoder({ ...this.size, fps, kbps: Math.min(kbps, Number(this.attributes.maxBitrate)) }, (tag) => {
      const media = parseMedia(9, tag.data);
      if (media.kind === 'avc-config') {
        this.say(1008);
        this.put(9, this.captured[0] ?? this.elapsed(), tag.data);
        return;
      }
      if (media.kind !== 'avc') return;
      if (first) this.say(1007);
      first = false;
      this.counted.pictures += 1;
      this.put(9, this.captured.shift() ?? this.elapsed(), this.withSei(tag.data));
    });
  }

  private prepareAudio(): void {
    const { audio, microphoneBroken } = this.phone.options;
    this.recording = false;
    if (this.attributes.enableMic && !microphoneBroken) this.audio = new AudioEncoder((tag) => this.audioTag(tag, audio.rate), audio);
  }

  private audioTag(tag: Tag, rate: number): void {
    const media = parseMedia(8, tag.data);
    if (media.kind === 'aac') this.audioFrames += 1;
    this.put(8, Math.round(this.audioStartMs + (this.audioFrames * AAC_FRAME * 1000) / rate), tag.data);
  }

  private elapsed(): number {
    return Date.now() - this.startedMs;
  }

  private put(type: number, timestampMs: number, data: Buffer): void {
    if (!this.client || !this.pushing || this.frozen) return;
    this.client.send(type, timestampMs, data);
    this.counted[type === 9 ? 'video' : 'audio'] += data.length;
  }

  private withSei(data: Buffer): Buffer {
    const text = this.seis.shift();
    if (text === undefined) return data;
    const payload = Buffer.concat([SEI_UUID, Buffer.from(text)]);
    const size: number[] = [];
    let left = payload.length;
    for (; left >= 255; left -= 255) size.push(255);
    const plain = Buffer.concat([Buffer.from([5, ...size, left]), payload, Buffer.from([0x80])]);
    const escaped: number[] = [];
    for (const byte of plain) {
      if (byte <= 3 && escaped.at(-1) === 0 && escaped.at(-2) === 0) escaped.push(3);
      escaped.push(byte);
    }
    const head = Buffer.alloc(5);
    head.writeUInt32BE(escaped.length + 1);
    head[4] = 6;
    return Buffer.concat([data.subarray(0, 5), head, Buffer.from(escaped), data.subarray(5)]);
  }

  /** Captures what is due: pictures at the camera's rate, sound in pieces of 20 ms. */
  private startClock(): void {
    clearInterval(this.clock);
    const { camera, audio, source } = this.phone.options;
    this.pictures = 0;
    let luma = new Uint8Array(0);
    this.clock = setInterval(() => {
      const now = this.elapsed();
      const due = Math.floor((now * camera.fps) / 1000);
      if (due > this.pictures) {
        // A phone too busy for all pictures leaves some out.
        this.pictures = due;
        if (this.video && !this.paused && !this.frozen) {
          const { width, height } = this.video.format;
          if (luma.length !== width * height) luma = new Uint8Array(width * height);
          drawPicture(luma, width, height, { source, timeMs: Date.now() });
          this.captured.push(now);
          this.video.encode(luma);
        }
      }
      if (!this.audio || now < audio.lateMs || this.paused || this.frozen) return;
      if (!this.recording) {
        this.recording = true;
        this.audioStartMs = now;
        this.samples = 0;
        this.audioFrames = 0;
      }
      const wanted = Math.floor(((now - this.audioStartMs) * PCM_RATE) / 1000);
      if (wanted - this.samples < PCM_RATE / 50) return;
      const piece = new Int16Array(Math.min(wanted - this.samples, PCM_RATE));
      const silent = this.attributes.muted || this.phone.interrupted;
      const step = (2 * Math.PI * toneOf(source)) / PCM_RATE;
      if (!silent) for (let i = 0; i < piece.length; ++i) piece[i] = 9000 * Math.sin((this.samples + i) * step);
      this.samples += piece.length;
      this.audio.encode(piece);
    }, 10);
  }

  /** iOS stops everything in the background; Android stops the camera and goes on with the sound. */
  private get frozen(): boolean {
    return this.suspended && this.phone.options.platform === 'ios';
  }

  protected override close(): void {
    this.pushing = false;
    clearInterval(this.clock);
    this.video?.close();
    this.audio?.close();
    this.video = undefined;
    this.audio = undefined;
    this.client?.removeAllListeners();
    this.client?.close();
    this.client = undefined;
  }

  protected override freeze(frozen: boolean): void {
    if (frozen && this.wanted) this.say(5000);
    if (this.phone.options.platform === 'ios') this.client?.freeze(frozen);
    else if (frozen) {
      this.video?.close();
      this.video = undefined;
    } else if (this.pushing) this.startVideo();
    if (!frozen && this.frozenCodes.length) for (const code of this.frozenCodes.splice(0)) this.say(code);
  }
  private readonly frozenCodes: (3005 | -1307)[] = [];
  /** Dropped while nobody runs: the app hears of it when it is back. */
  protected override drop(): void {
    if (!this.wanted) return;
    this.halt();
    this.frozenCodes.push(3005, -1307);
  }
  override networkLost(): void {
    if (!this.wanted || !this.client) return;
    this.client.cut();
  }

  protected override figures(seconds: number): NetInfo {
    const { video, audio, pictures } = this.counted;
    this.counted = { video: 0, audio: 0, pictures: 0 };
    const kbps = (bytes: number): number => Math.round((bytes * 8) / 1000 / seconds);
    return {
      videoBitrate: kbps(video), audioBitrate: kbps(audio), videoFPS: Math.round(pictures / seconds), videoGOP: 2, netSpeed: kbps(video + audio),
      netJitter: 0, netQualityLevel: this.pushing ? 1 : 6, videoWidth: this.size.width, videoHeight: this.size.height,
    };
  }
}
