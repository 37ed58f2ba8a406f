// A real call through the published client library.

import { markRaw } from 'vue';
import QNRTC, {
  QNConnectionState, QNLogLevel,
  type QNCameraVideoTrack, type QNConnectionDisconnectedInfo, type QNLocalAudioTrack, type QNLocalTrack,
  type QNMicrophoneAudioTrack, type QNRemoteAudioTrack, type QNRemoteVideoTrack, type QNRTCClient, type QNScreenVideoTrack,
} from 'qnweb-rtc';
import { t } from '../i18n';
import {
  addMessage, addNotice, createCallState, kMaxMessageLength, newMember,
  type CallSession, type CallState, type JoinRequest, type Member, type StreamRow,
} from '../call/model';
import { nextPhase, rejoinDelayMs, type LinkEvent } from '../logic/connection';
import { problemFromCode, problemFromMedia, problemOfLoss, type Problem } from '../logic/errors';
import { FreezeMeter } from '../logic/freezes';
import { readToken } from '../logic/token';
import { SpeakerPicker } from '../logic/speaker';
import { linkStats, qualityFromGrade, qualityOf, worst, type LinkStats, type Quality, type Reading, type StreamStats } from '../logic/stats';
import { identityFor } from './identity';
import { LevelMeters } from './levels';
import { peerConnections, reportEvents } from './network';
import { Speakers } from './speakers';
import { assertReachable, fetchToken, isRoomEmpty, TokenError } from './token_source';

const kCameraTag = 'camera';
const kMicTag = 'microphone';
const kScreenTag = 'screen';

const kCamera = { width: 1280, height: 720, frameRate: 25, bitrate: 1500, lowStreamConfig: { scaleResolutionDownBy: 4, bitrate: 150 } };
const kScreen = { width: 1920, height: 1080, frameRate: 15, bitrate: 2500 };

const kJoinTimeoutMs = 12_000;
const kLevelIntervalMs = 150;
const kStatsIntervalMs = 2000;

type RemoteTrack = QNRemoteAudioTrack | QNRemoteVideoTrack;
/** In the library's published code, though not in its types. */
type ClientWithKick = QNRTCClient & { kickOutUser(userID: string): Promise<void> };

const isScreen = (track: { tag?: string | undefined }): boolean => (track.tag ?? '').startsWith(kScreenTag);

export class RtcSession implements CallSession {
  readonly state: CallState;

  private client: QNRTCClient | null = null;
  private mic: QNMicrophoneAudioTrack | null = null;
  private camera: QNCameraVideoTrack | null = null;
  private screen: QNLocalTrack[] = [];
  private readonly published = new Set<QNLocalTrack>();
  private remote = new Map<string, RemoteTrack>();
  private readonly speakers: Speakers;
  private readonly meters = new LevelMeters();
  private readonly picker = new SpeakerPicker();
  private readonly names = new Map<string, string>();
  private readonly sentIds = new Set<string>();
  private readonly lowSet = new Map<string, boolean>();
  private lowWanted: ReadonlySet<string> = new Set();
  private readings = new Map<RTCPeerConnection, Reading>();
  private readonly freezes = new FreezeMeter(Date.now());
  private timers: number[] = [];
  private rejoinTimer = 0;
  private token = '';
  private generation = 0;
  private lastDisconnect: QNConnectionDisconnectedInfo | null = null;
  private joinEnded: ((problem: Problem) => void) | null = null;

  constructor(private readonly request: JoinRequest) {
    const claims = request.token ? readToken(request.token) : null;
    const selfId = claims?.userId ?? identityFor(request.room, request.displayName);
    this.state = createCallState(request, selfId);
    this.speakers = new Speakers(() => (this.state.audioBlocked = true));
    const self = newMember(selfId, request.displayName, true);
    this.state.members.push(self);
    this.names.set(selfId, request.displayName);
  }

  async start(): Promise<void> {
    QNRTC.setLogLevel(QNLogLevel.NONE);
    QNRTC.setConfig({ mcuServerHosts: [location.origin], reconnectTimes: 3 });
    QNRTC.onCameraChanged = (info) => this.onDeviceChanged(info.device, info.state === 'ACTIVE');
    QNRTC.onMicrophoneChanged = (info) => this.onDeviceChanged(info.device, info.state === 'ACTIVE');
    this.every(kLevelIntervalMs, () => this.readLevels());
    this.every(kStatsIntervalMs, () => void this.readStats());
    window.addEventListener('pagehide', this.onPageHide);
    await this.join();
  }

  private every(ms: number, action: () => void): void {
    this.timers.push(window.setInterval(action, ms));
  }

  private readonly onPageHide = (): void => {
    void this.client?.leave();
  };

  private apply(event: LinkEvent): void {
    this.state.phase = nextPhase(this.state.phase, event);
    if (this.state.phase.kind === 'ended') {
      this.state.problem = this.state.phase.problem;
      this.release();
    }
    if (this.state.phase.kind === 'live' && this.state.phase.restored) {
      window.setTimeout(() => this.apply({ kind: 'restored-shown' }), 3000);
    }
    if (this.state.phase.kind === 'rejoining') {
      clearTimeout(this.rejoinTimer);
      this.rejoinTimer = window.setTimeout(() => void this.join(), rejoinDelayMs(this.state.phase.attempt));
    }
  }

  private self(): Member {
    return this.state.members[0]!;
  }

  private member(id: string): Member | undefined {
    return this.state.members.find((m) => m.id === id);
  }

  // ---- joining and leaving

  private async join(): Promise<void> {
    const generation = ++this.generation;
    this.dropRemotes();
    try {
      await this.obtainToken();
      if (generation !== this.generation) return;
      const client = QNRTC.createClient();
      this.client = client;
      this.published.clear();
      this.lastDisconnect = null;
      this.listen(client, generation);
      await this.joinWithin(client);
      if (generation !== this.generation) return;
      if (this.state.startedAt === 0) this.state.startedAt = Date.now();
      this.apply({ kind: 'connected' });
      await this.publishWanted();
    } catch (error) {
      if (generation !== this.generation) return;
      this.generation++;
      const problem = this.problemOfJoin(error);
      try {
        await this.client?.leave();
      } catch {
        // It never got in.
      }
      this.apply({ kind: 'lost', problem });
    }
  }

  private async obtainToken(): Promise<void> {
    if (this.request.token) {
      this.token = this.request.token;
      await assertReachable();
    } else {
      const { room } = this.request;
      const key = `parley.host.${room}`;
      const wasHost = sessionStorage.getItem(key) === '1';
      const admin = this.request.admin || wasHost || (await isRoomEmpty(room));
      this.token = await fetchToken(room, this.state.selfId, admin);
      if (admin) sessionStorage.setItem(key, '1');
    }
    const claims = readToken(this.token);
    if (!claims) throw new TokenError('tokenInvalid');
    this.state.admin = claims.permission === 'admin';
  }

  /** The library waits for ever for a server that does not answer; a person does not. */
  private joinWithin(client: QNRTCClient): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = window.setTimeout(() => reject(new TokenError('unreachable')), kJoinTimeoutMs);
      this.joinEnded = (problem) => reject(new TokenError(problem));
      client.join(this.token, this.request.displayName).then(resolve, reject).finally(() => {
        clearTimeout(timer);
        this.joinEnded = null;
      });
    });
  }

  private problemOfJoin(error: unknown): Problem {
    if (error instanceof TokenError) return error.problem;
    if (this.lastDisconnect?.errorCode) return problemFromCode(this.lastDisconnect.errorCode);
    const code = (error as { code?: number }).code;
    if (code !== undefined) return problemFromCode(code);
    return error instanceof TypeError ? 'unreachable' : 'unknown';
  }

  async leave(): Promise<void> {
    this.generation++;
    clearTimeout(this.rejoinTimer);
    try {
      await this.client?.leave();
    } catch {
      // Already gone.
    }
    this.apply({ kind: 'left' });
  }

  private release(): void {
    this.generation++;
    clearTimeout(this.rejoinTimer);
    for (const timer of this.timers) clearInterval(timer);
    this.timers = [];
    window.removeEventListener('pagehide', this.onPageHide);
    this.dropRemotes();
    for (const track of [this.mic, this.camera, ...this.screen]) {
      track?.getMediaStreamTrack()?.stop();
      track?.destroy();
    }
    this.mic = null;
    this.camera = null;
    this.screen = [];
    this.self().video = null;
    this.self().screen = null;
    this.speakers.close();
    this.meters.close();
    this.client = null;
  }

  private dropRemotes(): void {
    for (const key of this.speakers.keys()) this.speakers.set(key, null);
    for (const id of this.remote.keys()) this.meters.set(id, null);
    this.remote.clear();
    this.lowSet.clear();
    this.state.members.splice(1);
  }

  // ---- what the room tells

  private listen(client: QNRTCClient, generation: number): void {
    const current = () => generation === this.generation;
    client.on('connection-state-changed', (connection, info) => {
      if (!current()) return;
      switch (connection) {
        case QNConnectionState.RECONNECTING:
          this.apply({ kind: 'reconnecting' });
          break;
        case QNConnectionState.RECONNECTED:
          this.apply({ kind: 'reconnected' });
          break;
        case QNConnectionState.DISCONNECTED:
          this.lastDisconnect = info ?? null;
          this.onDisconnected(info);
          break;
        default:
      }
    });
    client.on('user-joined', (id, data) => {
      if (!current() || id === this.state.selfId) return;
      const name = data || this.names.get(id) || id;
      this.names.set(id, name);
      const known = this.member(id);
      if (known) {
        known.name = name;
        known.reconnecting = false;
        return;
      }
      this.state.members.push(newMember(id, name, false));
      if (this.state.startedAt !== 0 && Date.now() - this.state.startedAt > 1500) addNotice(this.state, t('joined', { name }));
    });
    client.on('user-left', (id) => {
      if (!current()) return;
      const at = this.state.members.findIndex((m) => m.id === id && !m.local);
      if (at < 0) return;
      const [gone] = this.state.members.splice(at, 1);
      for (const [trackId, track] of this.remote) if (track.userID === id) this.forget(trackId);
      if (gone) addNotice(this.state, t('left', { name: gone.name }));
    });
    client.on('user-reconnecting', (id) => current() && this.setReconnecting(id, true));
    client.on('user-reconnected', (id) => current() && this.setReconnecting(id, false));
    client.on('user-published', (_id, tracks) => {
      if (current()) void this.subscribe(client, tracks, generation);
    });
    client.on('user-unpublished', (_id, tracks) => {
      if (!current()) return;
      for (const track of tracks) if (track.trackID) this.forget(track.trackID);
    });
    client.on('message-received', (m) => {
      if (!current()) return;
      if (m.userID === this.state.selfId && this.sentIds.has(m.ID)) return;
      if (this.state.messages.some((known) => known.id === m.ID && known.from === m.userID)) return;
      addMessage(this.state, {
        id: m.ID, from: m.userID, name: this.names.get(m.userID) ?? m.userID, text: String(m.content).slice(0, kMaxMessageLength),
        at: m.timestamp > 0 ? m.timestamp : Date.now(), own: m.userID === this.state.selfId, failed: false,
      });
    });
  }

  private onDisconnected(info: QNConnectionDisconnectedInfo | undefined): void {
    const code = info?.reason === 'KICKED_OUT' ? 10006 : info?.errorCode;
    // Reason LEAVE without our doing: the server has ended the session in good order.
    const problem: Problem = info?.reason === 'LEAVE' ? 'roomClosed' : problemOfLoss(code, this.state.phase.kind === 'reconnecting');
    if (this.joinEnded) {
      // A join that is still under way ends with the library's own words unless a code says more.
      if (info?.reason !== 'LEAVE') this.joinEnded(problem);
      return;
    }
    this.generation++;
    this.apply({ kind: 'lost', problem });
  }

  private setReconnecting(id: string, away: boolean): void {
    const m = this.member(id);
    if (m) m.reconnecting = away;
  }

  private async subscribe(client: QNRTCClient, tracks: RemoteTrack[], generation: number): Promise<void> {
    const wanted = tracks.filter((track) => !(this.state.audioOnly && track.isVideo() && !isScreen(track)));
    for (const track of wanted) {
      (track as QNRemoteAudioTrack).on('mute-state-changed', () => this.refreshRemote());
      if (track.trackID) this.remote.set(track.trackID, markRaw(track));
    }
    this.refreshRemote();
    for (let attempt = 1; attempt <= 3 && wanted.length > 0; attempt++) {
      try {
        await client.subscribe(wanted);
        break;
      } catch {
        if (generation !== this.generation) return;
        await new Promise((done) => setTimeout(done, 500 * attempt));
      }
    }
    if (generation !== this.generation) return;
    this.refreshRemote();
    this.applyLowStreams();
  }

  private forget(trackId: string): void {
    this.speakers.set(trackId, null);
    this.meters.set(trackId, null);
    this.remote.delete(trackId);
    this.lowSet.delete(trackId);
    this.refreshRemote();
  }

  /** Brings the members in line with the library's tracks, whose browser tracks change when a connection is rebuilt. */
  private refreshRemote(): void {
    const tracks = [...this.remote.entries()];
    for (const m of this.state.members) {
      if (m.local) continue;
      const own = tracks.filter(([, track]) => track.userID === m.id);
      const camera = own.find(([, track]) => track.isVideo() && !isScreen(track))?.[1];
      const screen = own.find(([, track]) => track.isVideo() && isScreen(track))?.[1];
      m.micOn = own.some(([, track]) => track.isAudio() && !isScreen(track) && !track.isMuted());
      m.cameraOn = camera !== undefined && !camera.isMuted();
      m.video = raw(camera?.isSubscribed() ? camera.getMediaStreamTrack() : undefined);
      m.screen = raw(screen?.isSubscribed() ? screen.getMediaStreamTrack() : undefined);
      for (const [id, track] of own) {
        if (!track.isAudio() || !track.isSubscribed()) continue;
        const audio = track.getMediaStreamTrack() ?? null;
        this.speakers.set(id, audio);
        this.meters.set(id, track.isMuted() || isScreen(track) ? null : audio);
      }
    }
  }

  // ---- own devices

  private async publishWanted(): Promise<void> {
    // After a lost session the devices are still open; they are published again.
    const tracks: QNLocalTrack[] = [];
    if (this.state.micOn) await this.setMic(true, tracks);
    if (this.state.cameraOn) await this.setCamera(true, tracks);
    tracks.push(...this.screen);
    if (tracks.length > 0) await this.publish(tracks);
    this.refreshSelf();
  }

  private async publish(tracks: QNLocalTrack[]): Promise<void> {
    const { client } = this;
    if (!client) return;
    await client.publish(tracks);
    if (client === this.client) for (const track of tracks) this.published.add(track);
  }

  private async unpublish(tracks: QNLocalTrack[]): Promise<void> {
    const out = tracks.filter((track) => this.published.delete(track));
    if (out.length > 0) await this.client?.unpublish(out);
  }

  async setMic(on: boolean, batch?: QNLocalTrack[]): Promise<void> {
    if (this.state.micBusy) return;
    this.state.micBusy = true;
    try {
      if (on) {
        if (!this.mic) {
          const { microphone } = this.state.devices;
          this.mic = await QNRTC.createMicrophoneAudioTrack({
            tag: kMicTag, encoderConfig: 'STANDARD', ...(microphone ? { microphoneId: microphone } : {}),
          });
          this.watchEnd(this.mic, 'microphone');
        }
        if (!this.published.has(this.mic)) {
          if (batch) batch.push(this.mic);
          else await this.publish([this.mic]);
        } else this.mic.setMuted(false);
      } else if (this.mic && this.published.has(this.mic)) {
        this.mic.setMuted(true);
      }
      this.state.micOn = on;
    } catch (error) {
      this.state.micOn = false;
      this.tell(problemFromMedia(error, 'microphone'));
    } finally {
      this.state.micBusy = false;
      this.refreshSelf();
    }
  }

  async setCamera(on: boolean, batch?: QNLocalTrack[]): Promise<void> {
    if (this.state.cameraBusy) return;
    this.state.cameraBusy = true;
    try {
      if (on) await this.cameraOn(batch);
      else this.cameraOff();
      this.state.cameraOn = on;
    } catch (error) {
      this.state.cameraOn = false;
      this.tell(problemFromMedia(error, 'camera'));
    } finally {
      this.state.cameraBusy = false;
      this.refreshSelf();
    }
  }

  private async cameraOn(batch?: QNLocalTrack[]): Promise<void> {
    const { camera } = this.state.devices;
    const ended = this.camera?.getMediaStreamTrack()?.readyState === 'ended';
    if (this.camera && ended && this.published.has(this.camera)) {
      // Off had let go of the device. The same publication goes on with a freshly opened camera.
      if (camera) await this.camera.switchCamera(camera);
      else await this.camera.switchCamera({});
      this.camera.setMuted(false);
      return;
    }
    if (this.camera && ended) {
      this.camera.destroy();
      this.camera = null;
    }
    if (!this.camera) {
      this.camera = await QNRTC.createCameraVideoTrack({ tag: kCameraTag, encoderConfig: kCamera, ...(camera ? { cameraId: camera } : {}) });
      this.watchEnd(this.camera, 'camera');
    }
    if (this.published.has(this.camera)) this.camera.setMuted(false);
    else if (batch) batch.push(this.camera);
    else await this.publish([this.camera]);
  }

  private cameraOff(): void {
    if (!this.camera) return;
    if (this.published.has(this.camera)) this.camera.setMuted(true);
    // The light beside the lens goes out too.
    this.camera.getMediaStreamTrack()?.stop();
  }

  async setSharing(on: boolean): Promise<void> {
    if (this.state.shareBusy) return;
    this.state.shareBusy = true;
    try {
      if (on) {
        const made = await QNRTC.createScreenVideoTrack(
          { encoderConfig: kScreen, screenVideoTag: kScreenTag, screenAudioTag: `${kScreenTag}-audio`, optimizationMode: 'detail' as never },
          'auto',
        );
        const tracks: (QNScreenVideoTrack | QNLocalAudioTrack)[] = Array.isArray(made) ? made : [made];
        tracks[0]?.getMediaStreamTrack()?.addEventListener('ended', () => void this.stopSharing());
        this.screen = tracks.map((track) => markRaw(track));
        await this.publish(this.screen);
        this.state.sharing = true;
      } else {
        await this.stopSharing();
      }
    } catch (error) {
      await this.stopSharing();
      this.tell(problemFromMedia(error, 'screen'));
    } finally {
      this.state.shareBusy = false;
      this.refreshSelf();
    }
  }

  private async stopSharing(): Promise<void> {
    const tracks = this.screen;
    this.screen = [];
    this.state.sharing = false;
    this.refreshSelf();
    try {
      await this.unpublish(tracks);
    } catch {
      // The connection is down; a rebuilt one will not carry the share.
    }
    for (const track of tracks) {
      track.getMediaStreamTrack()?.stop();
      track.destroy();
    }
  }

  async useDevice(kind: 'camera' | 'microphone' | 'speaker', deviceId: string): Promise<void> {
    this.state.devices[kind] = deviceId;
    try {
      if (kind === 'speaker') {
        await this.speakers.useSink(deviceId);
      } else if (kind === 'camera') {
        if (!this.state.cameraOn || !this.camera) return;
        if (this.published.has(this.camera)) await this.camera.switchCamera(deviceId || {});
      } else if (this.mic) {
        const old = this.mic;
        this.mic = null;
        await this.unpublish([old]);
        old.destroy();
        if (this.state.micOn) await this.setMic(true);
      }
    } catch (error) {
      this.tell(problemFromMedia(error, kind === 'microphone' ? 'microphone' : 'camera'));
    } finally {
      this.refreshSelf();
    }
  }

  /** A device that is pulled out ends its track. */
  private watchEnd(track: QNMicrophoneAudioTrack | QNCameraVideoTrack, kind: 'camera' | 'microphone'): void {
    track.on('ended' as never, (() => {
      if (kind === 'camera' && track === this.camera && this.state.cameraOn) {
        this.camera = null;
        this.state.cameraOn = false;
        void this.unpublish([track]).catch(() => undefined);
      } else if (kind === 'microphone' && track === this.mic) {
        this.mic = null;
        const wasOn = this.state.micOn;
        void this.unpublish([track]).catch(() => undefined);
        this.state.devices.microphone = '';
        // Speech should not stop because a headset was unplugged: go on with the default microphone.
        if (wasOn) void this.setMic(true);
      }
      this.refreshSelf();
    }) as never);
  }

  private onDeviceChanged(device: MediaDeviceInfo, present: boolean): void {
    const quiet = this.state.startedAt === 0 || Date.now() - this.state.startedAt < 3000;
    if (quiet || !device.label || device.deviceId === 'default' || device.deviceId === 'communications') return;
    addNotice(this.state, t(present ? 'deviceFound' : 'deviceLost', { name: device.label }), present ? 'info' : 'warning');
  }

  private refreshSelf(): void {
    const self = this.self();
    self.micOn = this.state.micOn;
    self.cameraOn = this.state.cameraOn;
    self.video = this.state.cameraOn ? raw(this.camera?.getMediaStreamTrack()) : null;
    self.screen = raw(this.screen[0]?.getMediaStreamTrack());
    this.meters.set(this.state.selfId, this.state.micOn ? (this.mic?.getMediaStreamTrack() ?? null) : null);
  }

  private tell(problem: Problem): void {
    addNotice(this.state, `${t(`p_${problem}`)}. ${t(`p_${problem}_d`)}`, 'warning', 8000);
  }

  // ---- chat, kick, choice of streams

  sendMessage(text: string): void {
    const content = text.slice(0, kMaxMessageLength);
    const id = crypto.getRandomValues(new Uint32Array(2)).join('');
    this.sentIds.add(id);
    const at = Date.now();
    addMessage(this.state, { id, from: this.state.selfId, name: this.request.displayName, text: content, at, own: true, failed: false });
    const sending = this.client?.sendMessage(id, content) ?? Promise.reject(new Error('not in a call'));
    sending.catch(() => {
      const mine = this.state.messages.find((m) => m.id === id);
      if (mine) mine.failed = true;
    });
  }

  async kick(memberId: string): Promise<void> {
    try {
      await (this.client as ClientWithKick | null)?.kickOutUser(memberId);
    } catch {
      addNotice(this.state, t('kickFailed', { name: this.names.get(memberId) ?? memberId }), 'warning');
    }
  }

  setLowStreams(lowIds: ReadonlySet<string>): void {
    this.lowWanted = lowIds;
    this.applyLowStreams();
  }

  private applyLowStreams(): void {
    for (const [id, track] of this.remote) {
      if (!track.isVideo() || isScreen(track) || !track.isSubscribed()) continue;
      const video = track as QNRemoteVideoTrack;
      const low = this.lowWanted.has(video.userID ?? '');
      if (!video.isLowStreamEnabled || this.lowSet.get(id) === low || (!low && !this.lowSet.has(id))) continue;
      try {
        video.setLowStream(low);
        this.lowSet.set(id, low);
      } catch {
        // Not in the room at this moment; asked again with the next change of layout.
      }
    }
  }

  async resumeAudio(): Promise<void> {
    this.state.audioBlocked = false;
    this.meters.resume();
    await this.speakers.resume();
  }

  // ---- measuring

  private readLevels(): void {
    const levels = [];
    for (const m of this.state.members) {
      let level = m.local ? this.meters.read(m.id) : 0;
      if (!m.local) {
        for (const [id, track] of this.remote) if (track.userID === m.id && track.isAudio()) level = Math.max(level, this.meters.read(id));
      }
      if (!m.micOn) level = 0;
      // Rises at once, falls slowly: the mark should breathe, not blink.
      m.level = level > m.level ? level : m.level * 0.7 + level * 0.3 < 0.004 ? 0 : m.level * 0.7 + level * 0.3;
      levels.push({ id: m.id, level });
    }
    this.state.speakerId = this.picker.update(levels.filter((l) => l.id !== this.state.selfId), performance.now());
  }

  private async readStats(): Promise<void> {
    this.refreshRemote();
    const total: LinkStats = { rttMs: -1, sentBps: 0, receivedBps: 0, protocol: '', streams: [] };
    const readings = new Map<RTCPeerConnection, Reading>();
    for (const pc of peerConnections()) {
      try {
        const now: Reading = new Map();
        (await pc.getStats()).forEach((entry, id) => void now.set(id, entry));
        readings.set(pc, now);
        const before: Reading = this.readings.get(pc) ?? new Map();
        const link = linkStats(now, before);
        this.freezes.add(now, before);
        total.streams.push(...link.streams);
        total.sentBps += link.sentBps;
        total.receivedBps += link.receivedBps;
        total.rttMs = Math.max(total.rttMs, link.rttMs);
        total.protocol = link.protocol || total.protocol;
      } catch {
        // A connection that closes under us has nothing more to say.
      }
    }
    this.readings = readings;
    if (this.state.phase.kind === 'ended') return;
    this.showStats(total);
    const items = this.freezes.take(Date.now());
    const claims = items && readToken(this.token);
    if (claims) reportEvents({ app_id: claims.appId, room_name: claims.roomName, user_id: claims.userId }, items);
  }

  private showStats(total: LinkStats): void {
    this.state.link = { rttMs: total.rttMs, sentBps: total.sentBps, receivedBps: total.receivedBps, protocol: total.protocol };
    const rows: StreamRow[] = [];
    const lossOf = new Map<string, number>();
    let ownQuality: Quality = 0;
    for (const stream of total.streams) {
      const owner = this.ownerOf(stream);
      if (!owner) continue;
      const { member, what, layer } = owner;
      if (stream.direction === 'in') lossOf.set(member.id, Math.max(lossOf.get(member.id) ?? -1, stream.loss));
      else ownQuality = worst(ownQuality, qualityOf(stream.loss, stream.rttMs));
      rows.push({
        key: stream.key, who: member.name, what, direction: stream.direction, layer, codec: stream.codec, bitrateBps: stream.bitrateBps,
        framesPerSecond: stream.framesPerSecond, width: stream.width, height: stream.height, loss: stream.loss, rttMs: stream.rttMs,
      });
    }
    this.state.rows = rows.sort((a, b) => (a.direction === b.direction ? a.who.localeCompare(b.who) : a.direction === 'out' ? -1 : 1));
    for (const m of this.state.members) {
      if (m.local) {
        m.quality = ownQuality || qualityOf(-1, total.rttMs);
        continue;
      }
      const grade = qualityFromGrade(String(this.client?.getUserNetworkQuality(m.id) ?? 'UNKNOWN'));
      m.quality = worst(grade, qualityOf(lossOf.get(m.id) ?? -1, -1));
    }
    this.state.quality = this.self().quality;
  }

  private ownerOf(stream: StreamStats): { member: Member; what: StreamRow['what']; layer: StreamRow['layer'] } | null {
    if (stream.direction === 'out') {
      const screenIds = this.screen.map((track) => track.getMediaStreamTrack()?.id);
      const what = screenIds.includes(stream.trackId) ? 'screen' : stream.kind === 'audio' ? 'audio' : 'camera';
      if (stream.kind === 'video' && stream.width === 0 && stream.bitrateBps === 0) return null;
      return { member: this.self(), what, layer: stream.layer === 'lo' ? 'low' : stream.layer === 'hi' ? 'high' : '' };
    }
    for (const [id, track] of this.remote) {
      if (track.getMediaStreamTrack()?.id !== stream.trackId) continue;
      const member = this.member(track.userID ?? '');
      if (!member) return null;
      const what = track.isAudio() ? 'audio' : isScreen(track) ? 'screen' : 'camera';
      const layered = what === 'camera' && (track as QNRemoteVideoTrack).isLowStreamEnabled;
      return { member, what, layer: layered ? (this.lowSet.get(id) ? 'low' : 'high') : '' };
    }
    return null;
  }
}

function raw(track: MediaStreamTrack | undefined): MediaStreamTrack | null {
  return track ? markRaw(track) : null;
}
