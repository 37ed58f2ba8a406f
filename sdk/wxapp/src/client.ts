import {
  Code, Emitter, httpOrigin, mixUrl, ParameterError, playUrl, publishUrl, QNRTCError, Runner,
  type ClientEvent, type Platform, type Socket, type TrackInfo, type Transport, type UrlOptions,
} from '../../core/src/index';
import { coreConfig, current as settings } from './config';
import { MediaKeeper } from './keeper';
import {
  forwardJob, mergeJob, mergeTracks, requireText,
  type QNDirectLiveStreamingConfig, type QNTranscodingLiveStreamingConfig, type QNTranscodingLiveStreamingTrack,
} from './live';
import { log, QNLogLevel } from './log';
import { elementId, StatsBook, type MediaEvent, type QNStats } from './stats';
import { QNLocalTrack, QNRemoteTrack, QNRemoteUser } from './tracks';
import { getWx, timers, type WxMediaContext } from './wx';

export enum QNConnectionState {
  DISCONNECTED = 'DISCONNECTED',
  CONNECTING = 'CONNECTING',
  CONNECTED = 'CONNECTED',
  RECONNECTING = 'RECONNECTING',
  RECONNECTED = 'RECONNECTED',
}

export enum QNConnectionDisconnectedReason {
  LEAVE = 'LEAVE',
  KICKED_OUT = 'KICKED_OUT',
  ERROR = 'ERROR',
}

export interface QNConnectionDisconnectedInfo {
  reason: QNConnectionDisconnectedReason;
  errorCode?: number;
  errorMessage?: string;
}

export interface QNCustomMessage {
  ID: string;
  userID: string;
  content: string;
  /** Milliseconds since 1970. */
  timestamp: number;
}

export enum QNPublishStatus {
  /** `data.url` is the address for `live-pusher`. Comes again with a new one when the gateway moved: set it again. */
  READY = 'READY',
  /** The server has the stream; `data.tracks` are its tracks. Comes again when a track came later. */
  COMPLETED = 'COMPLETED',
  /** The stream broke; `data.error` says how. The SDK starts the pusher again unless `autoResume` is off. */
  ERROR = 'ERROR',
}

export interface QNPublishCallbackData {
  url?: string;
  tracks?: QNLocalTrack[];
  error?: QNRTCError;
}

export type QNPublishCallback = (status: QNPublishStatus, data: QNPublishCallbackData) => void;

export interface QNSubscribeConfig {
  videoTrack?: QNRemoteTrack;
  audioTrack?: QNRemoteTrack;
  /** Overrides `QNRTC.setConfig({ transport })` for this address. */
  transport?: Transport;
}

export interface QNMixedAudioConfig {
  /** Overrides `QNRTC.setConfig({ transport })` for this address. */
  transport?: Transport;
}

export type QNMixedAudioCallback = (url: string) => void;

export interface QNClientEvents {
  'user-joined': [userID: string, userData: string];
  'user-left': [userID: string];
  'user-published': [userID: string, tracks: QNRemoteTrack[]];
  'user-unpublished': [userID: string, tracks: QNRemoteTrack[]];
  'connection-state-changed': [state: QNConnectionState, info?: QNConnectionDisconnectedInfo];
  'message-received': [message: QNCustomMessage];
  /** The server took away what was pushed. */
  'local-unpublished': [tracks: QNLocalTrack[]];
  /** A relay or a mix started or stopped. */
  'live-streaming-state-changed': [streamID: string, kind: 'direct' | 'transcoding', running: boolean];
}

const PUSHER = ' pusher';
/** Pusher codes after which nothing is sent any more. */
const PUSH_FAILED = new Set([-1301, -1302, -1303, -1304, -1305, -1306, -1307]);

/** Clients in a room: what the static `QNRTC.update...` functions talk to. */
export const active = new Set<QNRTCClient>();

const platform: Platform = {
  nowMs: () => Date.now(),
  random: () => Math.random(),
  setTimer: timers.set,
  clearTimer: timers.clear,
  openSocket(url, events): Socket {
    let over = false;
    const closed = (code: number): void => {
      if (over) return;
      over = true;
      events.closed(code);
    };
    const task = getWx().connectSocket({ url, fail: () => closed(1006) });
    task.onOpen(() => events.opened());
    task.onMessage(({ data }) => events.message(data));
    task.onError(() => closed(1006));
    task.onClose(({ code }) => closed(code || 1005));
    return {
      send: (text) => task.send({ data: text, fail: () => closed(1006) }),
      close() {
        over = true;
        task.close({ code: 1000 });
      },
    };
  },
};

export class QNRTCClient extends Emitter<QNClientEvents> {
  static readonly USER_JOINED = 'user-joined' as const;
  static readonly USER_LEFT = 'user-left' as const;
  static readonly USER_PUBLISHED = 'user-published' as const;
  static readonly USER_UNPUBLISHED = 'user-unpublished' as const;
  static readonly CONNECTION_STATE_CHANGED = 'connection-state-changed' as const;
  static readonly MESSAGE_RECEIVED = 'message-received' as const;

  private readonly runner = new Runner(platform, coreConfig, (event) => this.handle(event));
  private readonly users = new Map<string, QNRemoteUser>();
  private readonly tracks = new Map<string, QNRemoteTrack>();
  private locals = new Map<string, QNLocalTrack>();
  private publishCallback: QNPublishCallback | undefined;
  private mixedAudio: { readonly callback: QNMixedAudioCallback; readonly config: QNMixedAudioConfig } | undefined;
  private readonly stats = new StatsBook();
  private readonly keeper = new MediaKeeper(getWx, platform.nowMs);
  private unlisten: () => void = () => {};

  get connectionState(): QNConnectionState {
    return this.runner.current.connection as QNConnectionState;
  }
  get userID(): string {
    return this.runner.current.identity?.userId ?? '';
  }
  get roomName(): string {
    return this.runner.current.identity?.roomName ?? '';
  }
  get appId(): string {
    return this.runner.current.identity?.appId ?? '';
  }
  /** Spelling of the published samples. */
  get userId(): string {
    return this.userID;
  }
  get remoteUsers(): QNRemoteUser[] {
    return [...this.users.values()];
  }
  get localTracks(): QNLocalTrack[] {
    return [...this.locals.values()];
  }
  getRemoteUser(userID: string): QNRemoteUser | undefined {
    return this.users.get(userID);
  }

  /**
   * Joins the room of the token. Resolves when the room is there, rejects when it is not.
   * @throws TokenError 21005 (unreadable), 10001, 10002; ServerError with the server's code; NetworkError 21001; StateError 21002
   */
  async join(token: string, userData = ''): Promise<void> {
    if (!settings.server) throw new ParameterError('QNRTC.setConfig({ server: "wss://..." }) comes first');
    const joining = this.runner.join(token, userData);
    this.listen();
    try {
      await joining;
    } catch (error) {
      if (this.runner.current.phase === 'ended' || this.runner.current.phase === 'idle') this.unlisten();
      throw error;
    }
  }

  /** Leaves the room. Nothing runs afterwards: no socket, no timer, no listener of `wx`. */
  async leave(): Promise<void> {
    this.runner.leave();
  }

  /**
   * Gives the address for `live-pusher` through `callback` with READY, at once; then COMPLETED with the tracks when the server
   * has the stream.
   */
  async publish(callback: QNPublishCallback): Promise<void> {
    if (typeof callback !== 'function') throw new ParameterError('publish wants a function');
    this.runner.requireRoom('publish');
    this.publishCallback = callback;
    if (settings.autoResume !== false && !this.keeper.has(PUSHER)) this.attachPusher();
    this.tellReady();
    this.runner.feed({ type: 'publish' });
  }

  /** Stops the pusher and forgets the callback of `publish()`. Take the address out of `live-pusher` as well. */
  async unpublish(): Promise<void> {
    this.publishCallback = undefined;
    this.keeper.detach(PUSHER);
    getWx().createLivePusherContext?.()?.stop?.();
    this.runner.feed({ type: 'unpublish' });
  }

  /** The address for a `live-player`: one video, one audio, or both of one user. */
  async subscribe(config: QNSubscribeConfig): Promise<string> {
    this.runner.requireRoom('subscribe');
    const { videoTrack, audioTrack } = config ?? {};
    const wanted = [videoTrack, audioTrack].filter((t): t is QNRemoteTrack => !!t);
    const [first] = wanted;
    const { session } = this.runner.current;
    if (!first) throw new QNRTCError(Code.FATAL, 'subscribe wants a videoTrack or an audioTrack');
    if (wanted.some((t) => t.userID !== first.userID)) throw new ParameterError('both tracks have to be of one user');
    if (!session) throw new QNRTCError(Code.RECONNECT_FAILED, 'the connection is away; the tracks are announced again when it is back');
    return playUrl(session, first.userID, wanted.map((t) => t.trackID), {
      ...this.urlOptions(config.transport),
      layer: videoTrack?.isLowStream() ? 'low' : 'high',
    });
  }

  /**
   * One address for a `live-player` with the sound of everybody but oneself, mixed by the server: it follows who comes, goes and is
   * muted, so one player is enough however many there are. `callback` gets it at once, and a new one when the gateway moved: set it
   * again. Pictures are subscribed one by one as ever, without their `audioTrack`. A later call replaces the callback.
   */
  async subscribeMixedAudio(callback: QNMixedAudioCallback, config: QNMixedAudioConfig = {}): Promise<void> {
    if (typeof callback !== 'function') throw new ParameterError('subscribeMixedAudio wants a function');
    this.runner.requireRoom('subscribeMixedAudio');
    this.mixedAudio = { callback, config };
    this.tellMixedAudio();
  }

  /** Forgets the callback of `subscribeMixedAudio()`. Take the player out of the page as well. */
  async unsubscribeMixedAudio(): Promise<void> {
    this.mixedAudio = undefined;
  }

  async sendMessage(messageID: string, message: string, users?: readonly QNRemoteUser[]): Promise<void> {
    requireText(messageID, 'messageID');
    if (typeof message !== 'string') throw new ParameterError('message has to be a text');
    const target = Array.isArray(users) ? (users as readonly QNRemoteUser[]).map((u) => requireText(u?.userID, 'userID')) : [];
    await this.runner.request('send-message', { msgid: messageID, target, type: 'normal', text: message });
  }

  async startDirectLiveStreaming(config: QNDirectLiveStreamingConfig): Promise<void> {
    await this.runner.request('create-forward-job', forwardJob(config));
  }
  async stopDirectLiveStreaming(streamID: string): Promise<void> {
    await this.runner.request('stop-forward', { id: requireText(streamID, 'streamID'), delayMillisecond: 0 });
  }
  async startTranscodingLiveStreaming(config: QNTranscodingLiveStreamingConfig): Promise<void> {
    const job = mergeJob(config);
    await this.runner.request('create-merge-job', job);
    if (config.transcodingTracks?.length) await this.setTranscodingLiveStreamingTracks(config.streamID, config.transcodingTracks);
  }
  async stopTranscodingLiveStreaming(streamID: string): Promise<void> {
    await this.runner.request('stop-merge', streamID ? { id: streamID } : {});
  }
  async setTranscodingLiveStreamingTracks(streamID: string, transcodingTracks: readonly QNTranscodingLiveStreamingTrack[]): Promise<void> {
    await this.runner.request('update-merge-tracks', mergeTracks(streamID, 'add', transcodingTracks));
  }
  async removeTranscodingLiveStreamingTracks(streamID: string, transcodingTracks: readonly QNTranscodingLiveStreamingTrack[]): Promise<void> {
    await this.runner.request('update-merge-tracks', mergeTracks(streamID, 'remove', transcodingTracks));
  }

  /** Figures that the app handed over with `QNRTC.updatePusher...` and `QNRTC.updatePlayer...`. */
  async getStats(): Promise<QNStats> {
    return this.stats.read();
  }

  /** Which pusher to start again after a loss; without an argument the page's own. `publish()` does this. */
  attachPusher(context: WxMediaContext | undefined = getWx().createLivePusherContext?.()): void {
    this.keeper.attach(PUSHER, 'pusher', context);
  }
  /** Which player to start again after a loss. `updatePlayerStateChange` does this for elements of the page. */
  attachPlayer(id: string, context: WxMediaContext | undefined = getWx().createLivePlayerContext?.(id)): void {
    this.keeper.attach(id, 'player', context);
  }
  detachPlayer(id: string): void {
    this.keeper.detach(id);
    this.stats.forget(id);
  }

  /** @internal */
  notePusher(event: MediaEvent): void {
    this.stats.note('publisher', event, platform.nowMs());
    const code = event?.detail?.code;
    if (typeof code !== 'number') return;
    this.keeper.handleState(PUSHER, code);
    if (PUSH_FAILED.has(code)) this.tellBroken(`live-pusher ${code} ${event.detail?.message ?? ''}`);
  }
  /** @internal */
  notePlayer(event: MediaEvent): void {
    const id = elementId(event);
    this.stats.note({ player: id }, event, platform.nowMs());
    const code = event?.detail?.code;
    if (typeof code !== 'number' || settings.autoResume === false) return;
    if (!this.keeper.has(id) && id !== 'player') this.attachPlayer(id);
    this.keeper.handleState(id, code);
  }

  private tellReady(): void {
    const { session } = this.runner.current;
    if (session) this.publishCallback?.(QNPublishStatus.READY, { url: publishUrl(session, this.userID) });
  }
  private tellMixedAudio(): void {
    const { session } = this.runner.current;
    if (session && this.mixedAudio) this.mixedAudio.callback(mixUrl(session, this.urlOptions(this.mixedAudio.config.transport)));
  }
  private urlOptions(transport: Transport | undefined): UrlOptions {
    return {
      transport: transport ?? settings.transport ?? 'rtmp',
      flvOrigin: settings.flvOrigin ?? httpOrigin(settings.server ?? ''),
    };
  }
  private tellBroken(message: string): void {
    this.publishCallback?.(QNPublishStatus.ERROR, { error: new QNRTCError(Code.FATAL, message) });
  }

  /** One listener each of the app's life, only while in a room. */
  private listen(): void {
    this.unlisten();
    const api = getWx();
    const keep = settings.autoResume !== false;
    const show = (): void => {
      this.runner.wake();
      if (keep) this.keeper.handleShow();
    };
    const hide = (): void => this.keeper.handleHide();
    const network = (result: { readonly isConnected?: boolean }): void => {
      if (result.isConnected) this.runner.wake();
    };
    const interruption = (): void => {
      this.runner.wake();
      if (keep) this.keeper.handleInterruptionEnd();
    };
    api.onAppShow?.(show);
    api.onAppHide?.(hide);
    api.onNetworkStatusChange?.(network);
    api.onAudioInterruptionEnd?.(interruption);
    active.add(this);
    this.unlisten = (): void => {
      this.unlisten = (): void => {};
      active.delete(this);
      api.offAppShow?.(show);
      api.offAppHide?.(hide);
      api.offNetworkStatusChange?.(network);
      api.offAudioInterruptionEnd?.(interruption);
    };
  }

  private handle(event: ClientEvent): void {
    switch (event.type) {
      case 'state':
        log(QNLogLevel.INFO, `state ${event.state}`, event.info?.errorCode ?? '');
        if (event.state === 'DISCONNECTED') this.forgetAll();
        if (event.info) this.emit('connection-state-changed', event.state as QNConnectionState, event.info as QNConnectionDisconnectedInfo);
        else this.emit('connection-state-changed', event.state as QNConnectionState);
        break;
      case 'session':
        if (event.renewed) {
          this.tellReady();
          this.tellMixedAudio();
        }
        break;
      case 'user-joined':
        this.users.set(event.user.userId, new QNRemoteUser(event.user.userId, event.user.userData));
        this.emit('user-joined', event.user.userId, event.user.userData);
        break;
      case 'user-left':
        this.users.delete(event.userId);
        this.emit('user-left', event.userId);
        break;
      case 'tracks-added':
        this.emit('user-published', event.userId, event.tracks.map((info) => this.addRemote(info)));
        break;
      case 'tracks-removed':
        this.emit('user-unpublished', event.userId, event.tracks.map((info) => this.removeRemote(info)));
        break;
      case 'mute-changed':
        this.tracks.get(event.track.trackId)?.update(event.track);
        break;
      case 'message': {
        const { id, userId, text, timestampMs } = event.message;
        this.emit('message-received', { ID: id, userID: userId, content: text, timestamp: timestampMs });
        break;
      }
      case 'local-tracks': {
        const known = this.locals;
        for (const t of event.tracks) known.get(t.trackId)?.update(t);
        this.locals = new Map(event.tracks.map((t) => [t.trackId, known.get(t.trackId) ?? new QNLocalTrack(t, this.runner)]));
        this.publishCallback?.(QNPublishStatus.COMPLETED, { tracks: this.localTracks });
        break;
      }
      case 'local-tracks-removed': {
        const gone = event.tracks.map((t) => this.locals.get(t.trackId)).filter((t): t is QNLocalTrack => !!t);
        for (const t of gone) this.locals.delete(t.trackID);
        if (gone.length) this.emit('local-unpublished', gone);
        break;
      }
      case 'local-mute-changed':
        this.locals.get(event.track.trackId)?.update(event.track);
        break;
      case 'push-closed':
        log(QNLogLevel.WARNING, 'the server closed the push', event.error);
        this.tellBroken(event.error);
        break;
      case 'job':
        this.emit('live-streaming-state-changed', event.id, event.kind === 'merge' ? 'transcoding' : 'direct', event.running);
        break;
    }
  }

  private addRemote(info: TrackInfo): QNRemoteTrack {
    const track = new QNRemoteTrack(info);
    this.tracks.set(info.trackId, track);
    this.users.get(info.userId)?.add(track);
    return track;
  }

  private removeRemote(info: TrackInfo): QNRemoteTrack {
    const track = this.tracks.get(info.trackId) ?? new QNRemoteTrack(info);
    this.tracks.delete(info.trackId);
    this.users.get(info.userId)?.remove(info.trackId);
    return track;
  }

  private forgetAll(): void {
    this.unlisten();
    this.keeper.detachAll();
    this.stats.forget();
    this.users.clear();
    this.tracks.clear();
    this.locals.clear();
    this.publishCallback = undefined;
    this.mixedAudio = undefined;
  }
}
