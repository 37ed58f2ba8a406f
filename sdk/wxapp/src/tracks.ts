import { Emitter, type Kind, type Runner, type TrackInfo } from '../../core/src/index';

export enum QNMediaType {
  audio = 'audio',
  video = 'video',
}

export interface QNTrackEvents {
  /** @param muted The new state. */
  'mute-state-changed': [muted: boolean];
}

/** One audio or video track. The object stays the same as long as the track is in the room, reconnections included. */
export class QNTrack extends Emitter<QNTrackEvents> {
  static readonly MUTE_STATE_CHANGED = 'mute-state-changed' as const;

  /** @internal */
  constructor(protected info: TrackInfo) {
    super();
  }

  get trackID(): string {
    return this.info.trackId;
  }
  get userID(): string {
    return this.info.userId;
  }
  get tag(): string {
    return this.info.tag;
  }
  get kind(): Kind {
    return this.info.kind;
  }
  isMuted(): boolean {
    return this.info.muted;
  }
  isAudio(): boolean {
    return this.info.kind === 'audio';
  }
  isVideo(): boolean {
    return this.info.kind === 'video';
  }

  /** @internal */
  update(info: TrackInfo): void {
    const muteChanged = info.muted !== this.info.muted;
    this.info = info;
    if (muteChanged) this.emit('mute-state-changed', info.muted);
  }
}

export class QNLocalTrack extends QNTrack {
  /** @internal */
  constructor(
    info: TrackInfo,
    private readonly runner: Runner,
  ) {
    super(info);
  }

  /**
   * Tells the room that the track is silent or black. Set `muted` or `enable-camera` of `live-pusher` as well: that is what stops
   * the microphone and the camera. The state survives reconnections.
   */
  async setMuted(isMuted: boolean): Promise<void> {
    const muted = !!isMuted;
    const answer = this.runner.mute(this.trackID, muted);
    this.info = { ...this.info, muted };
    await answer;
  }
}

export class QNRemoteTrack extends QNTrack {
  private low = false;

  /** True if the publisher sends several sizes. */
  isLowStreamEnabled(): boolean {
    return this.info.profiles.length > 1;
  }
  isLowStream(): boolean {
    return this.low;
  }
  /** Chooses the small picture, or the large one again, for addresses that `subscribe()` gives from now on. */
  setLowStream(low: boolean): void {
    this.low = !!low;
  }
}

export class QNRemoteUser {
  private readonly tracks = new Map<string, QNRemoteTrack>();

  /** @internal */
  constructor(
    readonly userID: string,
    readonly userData: string,
  ) {}

  getVideoTracks(): QNRemoteTrack[] {
    return [...this.tracks.values()].filter((t) => t.isVideo());
  }
  getAudioTracks(): QNRemoteTrack[] {
    return [...this.tracks.values()].filter((t) => t.isAudio());
  }

  /** @internal */
  add(track: QNRemoteTrack): void {
    this.tracks.set(track.trackID, track);
  }
  /** @internal */
  remove(trackID: string): void {
    this.tracks.delete(trackID);
  }
}
