import http from 'node:http';
import https from 'node:https';
import { AudioDecoder, PCM_RATE, VIEW, VideoDecoder } from './codecs';
import { type Call, fail, MediaElement, type NetInfo, succeed } from './element';
import { FlvReader, parseMedia } from './flv';
import type { Phone } from './phone';
import { readPicture, readTone, readTones, type TimeCode } from './picture';
import { parseRtmpUrl, RtmpClient } from './rtmp';

export interface PlayerAttributes {
  src: string;
  mode: 'live' | 'RTC';
  autoplay: boolean;
  muted: boolean;
  minCache: number;
  maxCache: number;
  objectFit: string;
  [name: string]: unknown;
}

/** A decoded picture. */
export interface Seen {
  /** When it was decoded. */
  readonly atMs: number;
  readonly luma: Buffer;
}

const KEPT_PICTURES = 32;
const KEPT_SAMPLES = PCM_RATE;
const LOADING_AFTER_MS = 2000;

/** `live-player`: really pulls RTMP or FLV and decodes it; tests read back what a person would see and hear. */
export class LivePlayer extends MediaElement {
  readonly attributes: PlayerAttributes;
  private rtmp: RtmpClient | undefined;
  private request: http.ClientRequest | undefined;
  private response: http.IncomingMessage | undefined;
  private video: VideoDecoder | undefined;
  private audio: AudioDecoder | undefined;
  private loading: NodeJS.Timeout | undefined;
  private pictures: Seen[] = [];
  private sound: Int16Array[] = [];
  private soundLength = 0;
  private last: { video: number; audio: number } | undefined;
  private counted = { video: 0, audio: 0, pictures: 0 };
  /** Width and height in the stream's own sequence header; 0 before. */
  width = 0;
  height = 0;
  /** Pictures decoded since the beginning. */
  pictureCount = 0;
  /** Samples (48 kHz) decoded since the beginning. */
  sampleCount = 0;
  /** Timestamps that went back, of either kind: a player dislikes them. */
  backwards = 0;
  /** The last `onMetaData`-bearing or script message was seen. */
  connectionCount = 0;

  constructor(phone: Phone, attributes: Partial<PlayerAttributes> = {}, id = 'player') {
    super(phone, id);
    this.attributes = { src: '', mode: 'live', autoplay: false, muted: false, minCache: 1, maxCache: 3, objectFit: 'contain', ...attributes };
    if (this.attributes.autoplay && this.attributes.src) queueMicrotask(() => this.play());
  }

  set(change: Partial<PlayerAttributes>): void {
    const before = { ...this.attributes };
    Object.assign(this.attributes, change);
    if (change.src !== undefined && change.src !== before.src) {
      if (this.wanted) this.stop();
      if (this.attributes.autoplay && this.attributes.src) this.play();
    } else if (change.autoplay && !before.autoplay && this.attributes.src && !this.wanted) {
      this.play();
    }
  }

  play(call?: Call): void {
    if (!/^(rtmps?|https?):\/\//.test(this.attributes.src)) {
      fail('play', 'src has to be RTMP or FLV', call);
      return;
    }
    if (this.wanted) this.halt();
    this.wanted = true;
    this.paused = false;
    this.retries = 0;
    this.connect();
    succeed('play', call);
  }
  mute(call?: Call): void {
    this.attributes.muted = !this.attributes.muted;
    succeed('mute', call);
  }

  /** The picture on the screen; undefined before the first, or once it is older than `maxAgeMs`. */
  see(maxAgeMs = 2000): Seen | undefined {
    const last = this.pictures.at(-1);
    return last && Date.now() - last.atMs <= maxAgeMs ? last : undefined;
  }
  /** The time code on the screen and how old it was when it appeared. */
  seeTime(maxAgeMs = 2000): (TimeCode & { atMs: number }) | undefined {
    const seen = this.see(maxAgeMs);
    const code = seen && readPicture(seen.luma, VIEW.width, VIEW.height);
    return code && { ...code, atMs: seen.atMs };
  }
  /** The last `ms` of sound, 48 kHz mono; silence when muted. */
  hear(ms = 400): Int16Array {
    const wanted = Math.floor((ms * PCM_RATE) / 1000);
    const all = new Int16Array(Math.min(this.soundLength, KEPT_SAMPLES * 2));
    let at = all.length;
    for (let i = this.sound.length - 1; i >= 0 && at > 0; --i) {
      const piece = this.sound[i]!;
      const part = piece.subarray(Math.max(0, piece.length - at));
      at -= part.length;
      all.set(part, at);
    }
    const out = all.subarray(Math.max(0, all.length - wanted));
    return this.attributes.muted || this.phone.interrupted ? new Int16Array(out.length) : out;
  }
  /** Which source's tone fills the last moment: its number, or undefined for silence and noise. */
  hearTone(ms = 200): number | undefined {
    return readTone(this.hear(ms), PCM_RATE, 200);
  }
  /** Whose tones are in the last moment, of several that sound together: the numbers of their sources, in order. */
  hearTones(ms = 200): number[] {
    return readTones(this.hear(ms), PCM_RATE, 400);
  }

  private connect(): void {
    this.close();
    if (!this.phone.online) {
      this.retry(3002, () => this.connect(), [2103, -2301]);
      return;
    }
    this.last = undefined;
    this.connectionCount += 1;
    try {
      if (this.attributes.src.startsWith('rtmp')) this.connectRtmp();
      else this.connectFlv();
    } catch {
      this.retry(3002, () => this.connect(), [2103, -2301]);
    }
  }

  private connectRtmp(): void {
    const client = new RtmpClient(parseRtmpUrl(this.attributes.src, this.phone.options.queryPlace), 'play');
    this.rtmp = client;
    client.on('handshake', () => this.say(2001));
    client.on('status', (code) => {
      if (code === 'NetStream.Play.Start') this.pulling();
      else if (code === 'NetStream.Play.Stop' || code === 'NetStream.Play.UnpublishNotify') this.say(2006);
      else if (/^NetStream\.Play\.(StreamNotFound|Failed)$/.test(code)) client.cut();
    });
    client.on('eof', () => this.say(2006));
    client.on('message', ({ type, timestampMs, data }) => this.take(type, timestampMs, data));
    client.on('close', (stage, error) => {
      this.close();
      const dns = (error as NodeJS.ErrnoException | undefined)?.code === 'ENOTFOUND';
      this.retry(stage === 'connect' ? (dns ? 3001 : 3002) : stage === 'handshake' ? 3003 : 3005, () => this.connect(), [2103, -2301]);
    });
    client.start();
  }

  private connectFlv(): void {
    const lost = (code: 3002 | 3005): void => {
      if (this.request !== request) return;
      this.close();
      this.retry(code, () => this.connect(), [2103, -2301]);
    };
    const reader = new FlvReader();
    const get = this.attributes.src.startsWith('https') ? https.get : http.get;
    const request: http.ClientRequest = get(this.attributes.src, { rejectUnauthorized: false } as https.RequestOptions, (response) => {
      this.response = response;
      if (response.statusCode !== 200) {
        response.resume();
        lost(3002);
        return;
      }
      this.say(2001);
      this.pulling();
      response.on('data', (bytes: Buffer) => {
        try {
          for (const tag of reader.push(bytes)) this.take(tag.type, tag.timestampMs, tag.data);
        } catch {
          request.destroy();
        }
      });
      response.on('close', () => lost(3005));
    });
    this.request = request;
    request.on('error', () => lost(3002));
  }

  private pulling(): void {
    this.say(2002);
    this.startTicker();
    this.watch();
  }

  /** Nothing to play for a while is `loading`. */
  private watch(): void {
    clearTimeout(this.loading);
    this.loading = setTimeout(() => this.say(2007), LOADING_AFTER_MS);
  }

  private take(type: number, timestampMs: number, data: Buffer): void {
    if (type !== 8 && type !== 9) return;
    const media = parseMedia(type, data);
    this.counted[type === 9 ? 'video' : 'audio'] += data.length;
    this.last ??= { video: -1, audio: -1 };
    const kind = type === 9 ? 'video' : 'audio';
    if (timestampMs < this.last[kind]) this.backwards += 1;
    this.last[kind] = timestampMs;
    this.watch();
    switch (media.kind) {
      case 'avc-config':
        this.configureVideo(media);
        break;
      case 'avc': {
        const before = this.pictureCount;
        if (this.video?.decode(media) && media.keyFrame && before === 0 && !this.codes.includes(2003)) this.say(2003);
        break;
      }
      case 'aac-config':
        this.audio?.close();
        this.audio = new AudioDecoder((samples) => this.heard(samples));
        this.audio.configure(media);
        break;
      case 'aac':
        this.audio?.decode(media.frame);
        break;
      case 'other':
        this.say(type === 9 ? 2101 : 2102);
        break;
    }
  }

  private configureVideo(config: Extract<ReturnType<typeof parseMedia>, { kind: 'avc-config' }>): void {
    const changed = this.width !== config.width || this.height !== config.height;
    this.width = config.width;
    this.height = config.height;
    if (changed) this.say(2009);
    if (!this.video || changed) {
      this.video?.close();
      let first = true;
      this.say(2008);
      this.video = new VideoDecoder((luma) => {
        if (this.paused) return;
        this.pictureCount += 1;
        this.counted.pictures += 1;
        this.pictures.push({ atMs: Date.now(), luma: Buffer.from(luma) });
        if (this.pictures.length > KEPT_PICTURES) this.pictures.shift();
        if (first) {
          first = false;
          this.retries = 0;
          this.say(2032);
          this.say(2004);
        }
      });
    }
    this.video.configure(config);
  }

  private heard(samples: Int16Array): void {
    if (this.paused || !samples.length) return;
    if (this.sampleCount === 0 && !this.video) this.say(2004);
    this.retries = 0;
    this.sampleCount += samples.length;
    this.sound.push(samples);
    this.soundLength += samples.length;
    while (this.sound.length > 1 && this.soundLength - this.sound[0]!.length >= KEPT_SAMPLES) this.soundLength -= this.sound.shift()!.length;
  }

  protected override close(): void {
    clearTimeout(this.loading);
    this.video?.close();
    this.audio?.close();
    this.video = undefined;
    this.audio = undefined;
    this.sound = [];
    this.soundLength = 0;
    this.rtmp?.removeAllListeners();
    this.rtmp?.close();
    this.rtmp = undefined;
    const { request } = this;
    this.request = undefined;
    this.response = undefined;
    request?.on('error', () => {});
    request?.destroy();
  }

  protected override freeze(frozen: boolean): void {
    if (this.phone.options.platform !== 'ios') return;
    this.rtmp?.freeze(frozen);
    if (frozen) this.response?.pause();
    else this.response?.resume();
    clearTimeout(this.loading);
    if (!frozen) for (const code of this.frozenCodes.splice(0)) this.say(code);
  }
  private readonly frozenCodes: (3005 | -2301)[] = [];
  protected override drop(): void {
    if (!this.wanted) return;
    this.halt();
    this.frozenCodes.push(3005, -2301);
  }
  override networkLost(): void {
    this.rtmp?.cut();
    this.request?.destroy();
  }

  protected override figures(seconds: number): NetInfo {
    const { video, audio, pictures } = this.counted;
    this.counted = { video: 0, audio: 0, pictures: 0 };
    const kbps = (bytes: number): number => Math.round((bytes * 8) / 1000 / seconds);
    return {
      videoBitrate: kbps(video), audioBitrate: kbps(audio), videoFPS: Math.round(pictures / seconds), videoGOP: 2, netSpeed: kbps(video + audio),
      netJitter: 0, netQualityLevel: video + audio > 0 ? 1 : 6, videoWidth: this.width, videoHeight: this.height, videoCache: 0, audioCache: 0,
    };
  }
}
