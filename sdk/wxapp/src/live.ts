import { ParameterError } from '../../core/src/index';
import { type QNLocalTrack } from './tracks';

export enum QNRenderMode {
  /** Stretched. */
  FILL = 'scaleToFit',
  /** Cropped. */
  ASPECT_FILL = 'aspectFill',
  /** With bars. */
  ASPECT_FIT = 'aspectFit',
}

export interface QNLiveStreamingConfig {
  /** Empty or absent: the default job of the room (mixes only). */
  streamID: string;
  url: string;
}

export interface QNDirectLiveStreamingConfig extends QNLiveStreamingConfig {
  videoTrack?: QNLocalTrack;
  audioTrack?: QNLocalTrack;
  /** Put before each key frame as SEI; at most 1000 bytes. */
  userConfigExtraInfo?: string;
}

export interface QNTranscodingLiveStreamingImage {
  url: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface QNTranscodingLiveStreamingTrack {
  trackID: string;
  x?: number;
  y?: number;
  zOrder?: number;
  width?: number;
  height?: number;
  renderMode?: QNRenderMode;
}

export interface QNTranscodingLiveStreamingConfig extends QNLiveStreamingConfig {
  width?: number;
  height?: number;
  videoFrameRate?: number;
  /** kbit/s, like the two below. */
  bitrate?: number;
  minBitrate?: number;
  maxBitrate?: number;
  transcodingTracks?: QNTranscodingLiveStreamingTrack[];
  renderMode?: QNRenderMode;
  background?: QNTranscodingLiveStreamingImage;
  watermarks?: QNTranscodingLiveStreamingImage[];
  holdLastFrame?: boolean;
  audioOnly?: boolean;
}

export const MAX_SEI_BYTES = 1000;

/** Only what the app set goes on the wire. */
function present(o: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined && v !== null && v !== ''));
}

function utf8Bytes(text: string): number {
  let n = 0;
  for (const letter of text) {
    const point = letter.codePointAt(0) ?? 0;
    n += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  }
  return n;
}

export function requireText(value: unknown, what: string): string {
  if (typeof value !== 'string' || !value) throw new ParameterError(`${what} has to be a text`);
  return value;
}

function requireRtmp(url: unknown): string {
  const text = requireText(url, 'url');
  if (!/^rtmps?:\/\//.test(text)) throw new ParameterError('url has to start with rtmp:// or rtmps://');
  return text;
}

const image = (i: QNTranscodingLiveStreamingImage): object => present({ x: i.x, y: i.y, w: i.width, h: i.height, url: i.url });

export function forwardJob(config: QNDirectLiveStreamingConfig): object {
  const { streamID, url, audioTrack, videoTrack, userConfigExtraInfo: value } = config ?? {};
  const tracks = [videoTrack, audioTrack].filter((t): t is QNLocalTrack => !!t);
  if (!tracks.length) throw new ParameterError('a track is needed');
  if (value !== undefined && utf8Bytes(value) > MAX_SEI_BYTES) throw new ParameterError(`userConfigExtraInfo is longer than ${MAX_SEI_BYTES} bytes`);
  return {
    id: requireText(streamID, 'streamID'),
    publishUrl: requireRtmp(url),
    audioOnly: !videoTrack,
    tracks: tracks.map((t) => ({ trackid: t.trackID })),
    seiTemplate: present({ value }),
  };
}

export function mergeJob(config: QNTranscodingLiveStreamingConfig): object {
  if (!config || typeof config !== 'object') throw new ParameterError('a configuration is needed');
  return present({
    id: config.streamID,
    publishUrl: config.url ? requireRtmp(config.url) : undefined,
    audioOnly: config.audioOnly,
    width: config.width,
    height: config.height,
    fps: config.videoFrameRate,
    kbps: config.bitrate,
    minRate: config.minBitrate,
    maxRate: config.maxBitrate,
    holdLastFrame: config.holdLastFrame,
    stretchMode: config.renderMode,
    background: config.background && image(config.background),
    watermarks: config.watermarks?.map(image),
  });
}

export function mergeTracks(streamID: string, what: 'add' | 'remove', tracks: readonly QNTranscodingLiveStreamingTrack[]): object {
  if (!Array.isArray(tracks)) throw new ParameterError('a list of tracks is needed');
  const list = (tracks as QNTranscodingLiveStreamingTrack[]).map((t) =>
    present({ trackid: requireText(t?.trackID, 'trackID'), x: t.x, y: t.y, w: t.width, h: t.height, z: t.zOrder, stretchMode: t.renderMode }),
  );
  return present({ id: streamID, [what]: list });
}
