import { Code, NetworkError, QNRTCError, serverError, StateError } from './errors';
import { type ReconnectPolicy, defaultReconnectPolicy } from './policy';
import {
  addTracks, addUser, EMPTY_ROOM, readTracks, readUsers, reconcile, removeTracks, removeUser, setMuted,
  type Kind, type Room, type RoomEvent, type TrackInfo,
} from './room';
import { type Identity } from './token';
import { type Session } from './urls';
import { num, objects, parseFrame, str, writeFrame } from './wire';

/**
 * The conversation with the gateway as a pure function: `step(state, input, context)` gives the next state and what to do.
 *
 * ```
 *  idle --join--> opening --opened--> greeting --auth-res 0--> joined
 *   ^                ^   `--closed--> resting <--closed--'       |
 *   |                `-----timer retry--'                        | closed, heartbeat, disconnect 10052
 *   |   (the same three states serve a reconnection:             v
 *   |    `session` is set then)                 resting -> opening -> greeting -> joined
 *   `-- ended <-- leave, disconnect, refusal, the policy gives up
 * ```
 */
export type Phase = 'idle' | 'opening' | 'greeting' | 'resting' | 'joined' | 'ended';

export type ConnectionState = 'DISCONNECTED' | 'CONNECTING' | 'CONNECTED' | 'RECONNECTING' | 'RECONNECTED';

export interface DisconnectedInfo {
  readonly reason: 'LEAVE' | 'KICKED_OUT' | 'ERROR';
  readonly errorCode?: number;
  readonly errorMessage?: string;
}

/** Not answered yet, or not sent yet because the connection is away. */
interface Request {
  readonly ref: number;
  readonly name: string;
  readonly body: object;
  /** Doing it twice is the same as once: it may be sent again after a reconnection. */
  readonly repeatable: boolean;
}

export interface State {
  readonly phase: Phase;
  readonly connection: ConnectionState;
  readonly socket: number;
  readonly sequence: number;
  readonly roomToken: string;
  readonly identity: Identity | undefined;
  readonly userData: string;
  readonly joinRef: number | undefined;
  readonly authId: string;
  readonly session: Session | undefined;
  readonly attempt: number;
  readonly lostAtMs: number;
  readonly closeCode: number;
  readonly room: Room;
  readonly publishing: boolean;
  readonly localTracks: readonly TrackInfo[];
  readonly mutedByUs: Readonly<Record<Kind, boolean>>;
  readonly pending: ReadonlyMap<string, Request>;
  readonly waiting: readonly Request[];
}

export const INITIAL: State = {
  phase: 'idle',
  connection: 'DISCONNECTED',
  socket: 0,
  sequence: 0,
  roomToken: '',
  identity: undefined,
  userData: '',
  joinRef: undefined,
  authId: '',
  session: undefined,
  attempt: 0,
  lostAtMs: 0,
  closeCode: 0,
  room: EMPTY_ROOM,
  publishing: false,
  localTracks: [],
  mutedByUs: { audio: false, video: false },
  pending: new Map(),
  waiting: [],
};

/** A mini program that went away for longer than this asks before it trusts its connection again. */
export interface Timing {
  readonly openMs: number;
  readonly heartbeatMs: number;
  readonly requestMs: number;
}

export const DEFAULT_TIMING: Timing = { openMs: 5000, heartbeatMs: 9000, requestMs: 10_000 };
/** Requests that wait for a connection; one more is refused. */
export const MAX_WAITING = 64;

export interface Config {
  readonly server: string;
  readonly policy: ReconnectPolicy;
  readonly timing: Timing;
  /** When the server no longer knows the session, join again with the room token instead of ending in 10001. */
  readonly rejoin: boolean;
  readonly agent: string;
  readonly protocolVersion: string;
}

export const DEFAULT_CONFIG: Config = {
  server: '',
  policy: defaultReconnectPolicy(),
  timing: DEFAULT_TIMING,
  rejoin: true,
  agent: 'wechat miniprogram',
  protocolVersion: '4.0.6',
};

export interface Context {
  readonly nowMs: number;
  /** In [0, 1), a fresh one for each step. */
  readonly roll: number;
  readonly config: Config;
}

export type Input =
  | { readonly type: 'join'; readonly ref: number; readonly token: string; readonly identity: Identity; readonly userData: string }
  | { readonly type: 'leave' }
  | { readonly type: 'opened'; readonly socket: number }
  | { readonly type: 'frame'; readonly socket: number; readonly data: unknown }
  | { readonly type: 'closed'; readonly socket: number; readonly code: number }
  | { readonly type: 'timer'; readonly name: string }
  | { readonly type: 'request'; readonly ref: number; readonly name: string; readonly body: object; readonly repeatable?: boolean }
  | { readonly type: 'publish' }
  | { readonly type: 'unpublish' }
  | { readonly type: 'mute'; readonly ref: number; readonly trackId: string; readonly muted: boolean }
  /** The network or the screen came back: do not wait any longer. */
  | { readonly type: 'wake'; readonly stale: boolean };

export type ClientEvent =
  | RoomEvent
  | { readonly type: 'state'; readonly state: ConnectionState; readonly info?: DisconnectedInfo }
  /** Addresses given out so far are worth nothing; ask for new ones. The first one comes with the first join. */
  | { readonly type: 'session'; readonly session: Session; readonly renewed: boolean }
  | { readonly type: 'local-tracks'; readonly tracks: readonly TrackInfo[] }
  | { readonly type: 'local-tracks-removed'; readonly tracks: readonly TrackInfo[] }
  | { readonly type: 'local-mute-changed'; readonly track: TrackInfo }
  | { readonly type: 'push-closed'; readonly error: string }
  | { readonly type: 'job'; readonly kind: 'merge' | 'forward'; readonly id: string; readonly running: boolean };

export type Effect =
  | { readonly type: 'open'; readonly socket: number; readonly url: string }
  | { readonly type: 'send'; readonly socket: number; readonly text: string }
  | { readonly type: 'close'; readonly socket: number }
  | { readonly type: 'timer'; readonly name: string; readonly delayMs: number }
  | { readonly type: 'cancel'; readonly name: string }
  | { readonly type: 'cancel-all' }
  | { readonly type: 'settle'; readonly ref: number; readonly error?: QNRTCError }
  | { readonly type: 'event'; readonly event: ClientEvent };

/** A step in the making: the state so far and the effects so far, in order. */
class Step {
  readonly effects: Effect[] = [];
  constructor(
    public state: State,
    readonly context: Context,
  ) {}

  set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
  }
  do(effect: Effect): void {
    this.effects.push(effect);
  }
  event(event: ClientEvent): void {
    this.do({ type: 'event', event });
  }
  connection(state: ConnectionState, info?: DisconnectedInfo): void {
    if (this.state.connection === state) return;
    this.set({ connection: state });
    this.event(info ? { type: 'state', state, info } : { type: 'state', state });
  }
  room([room, events]: readonly [Room, readonly RoomEvent[]]): void {
    this.set({ room });
    for (const event of events) this.event(event);
  }
  send(name: string, body: object = {}): void {
    this.do({ type: 'send', socket: this.state.socket, text: writeFrame(name, body) });
  }
  nextId(): string {
    this.set({ sequence: this.state.sequence + 1 });
    return this.state.sequence.toString(36);
  }
}

export function step(state: State, input: Input, context: Context): readonly [State, readonly Effect[]] {
  const s = new Step(state, context);
  switch (input.type) {
    case 'join':
      join(s, input);
      break;
    case 'leave':
      if (state.phase === 'joined') s.send('disconnect');
      if (state.phase !== 'idle' && state.phase !== 'ended') end(s, { reason: 'LEAVE' });
      break;
    case 'opened':
      if (input.socket === state.socket && state.phase === 'opening') greet(s);
      break;
    case 'frame':
      if (input.socket === state.socket) receive(s, input.data);
      break;
    case 'closed':
      if (input.socket === state.socket) closed(s, input.code);
      break;
    case 'timer':
      expired(s, input.name);
      break;
    case 'request':
      request(s, { ref: input.ref, name: input.name, body: input.body, repeatable: input.repeatable ?? false });
      break;
    case 'publish':
      s.set({ publishing: true });
      if (s.state.localTracks.length) s.event({ type: 'local-tracks', tracks: s.state.localTracks });
      break;
    case 'unpublish':
      s.set({ publishing: false, mutedByUs: INITIAL.mutedByUs });
      dropLocalTracks(s);
      break;
    case 'mute':
      mute(s, input);
      break;
    case 'wake':
      if (s.state.phase === 'resting') {
        s.do({ type: 'cancel', name: 'retry' });
        open(s);
      } else if (s.state.phase === 'joined' && input.stale) {
        lost(s, 1006);
      }
      break;
  }
  return [s.state, s.effects];
}

function join(s: Step, { ref, token, identity, userData }: Extract<Input, { type: 'join' }>): void {
  if (s.state.phase !== 'idle' && s.state.phase !== 'ended') {
    s.do({ type: 'settle', ref, error: new StateError('joined already, or about to be') });
    return;
  }
  s.set({
    ...INITIAL,
    socket: s.state.socket,
    sequence: s.state.sequence,
    roomToken: token,
    identity,
    userData,
    joinRef: ref,
    lostAtMs: s.context.nowMs,
  });
  s.connection('CONNECTING');
  open(s);
}

/** Each socket has its own number, so that late news of an older one are known for what they are. */
function open(s: Step): void {
  s.set({ phase: 'opening', socket: s.state.socket + 1, attempt: s.state.attempt + 1 });
  s.do({ type: 'timer', name: 'open', delayMs: s.context.config.timing.openMs });
  s.do({ type: 'open', socket: s.state.socket, url: s.context.config.server });
}

function greet(s: Step): void {
  const { session, identity, roomToken, userData } = s.state;
  const rpcid = s.nextId();
  s.set({ phase: 'greeting', authId: rpcid });
  s.send('auth', session
    ? { rtmptoken: session.token, rpcid }
    : {
        app: identity?.appId,
        agent: s.context.config.agent,
        roomtoken: roomToken,
        sdkversion: s.context.config.protocolVersion,
        room: identity?.roomName,
        user: identity?.userId,
        playerdata: userData,
        rpcid,
      });
}

function closed(s: Step, code: number): void {
  if (s.state.phase === 'joined' && code === 1000) {
    // The server ended the session for good, and forgot to say why.
    end(s, { reason: 'ERROR', errorCode: Code.FATAL, errorMessage: 'the server closed the connection' });
    return;
  }
  lost(s, code);
}

/** The socket is gone, or as good as gone: wait as the policy says and try again, or give up. */
function lost(s: Step, code: number): void {
  const { phase } = s.state;
  if (phase !== 'opening' && phase !== 'greeting' && phase !== 'joined') return;
  s.do({ type: 'close', socket: s.state.socket });
  s.do({ type: 'cancel', name: 'open' });
  s.do({ type: 'cancel', name: 'heartbeat' });
  s.set({ closeCode: code });
  if (phase === 'joined') {
    s.set({ attempt: 0, lostAtMs: s.context.nowMs });
    keepOrFail(s);
    s.connection('RECONNECTING');
  }
  rest(s);
}

function rest(s: Step): void {
  const joining = s.state.joinRef !== undefined;
  const delayMs = s.context.config.policy.nextDelay({
    phase: joining ? 'join' : 'reconnect',
    attempt: s.state.attempt,
    elapsedMs: s.context.nowMs - s.state.lostAtMs,
    closeCode: s.state.closeCode,
    roll: s.context.roll,
  });
  if (delayMs === undefined) {
    const errorCode = joining ? Code.AUTH_FAILED : Code.RECONNECT_FAILED;
    const errorMessage = joining ? 'the gateway cannot be reached' : 'the gateway did not come back';
    end(s, { reason: 'ERROR', errorCode, errorMessage }, new NetworkError(errorCode, errorMessage));
    return;
  }
  s.set({ phase: 'resting' });
  s.do({ type: 'timer', name: 'retry', delayMs: Math.max(0, delayMs) });
}

/** Requests on their way when the socket broke: repeat what may be repeated, report the others. */
function keepOrFail(s: Step): void {
  const again: Request[] = [];
  for (const [id, request] of s.state.pending) {
    s.do({ type: 'cancel', name: `request ${id}` });
    if (request.repeatable) again.push(request);
    else s.do({ type: 'settle', ref: request.ref, error: new NetworkError(Code.RECONNECT_FAILED, `${request.name}: the connection broke before the answer`) });
  }
  s.set({ pending: new Map(), waiting: [...again, ...s.state.waiting].slice(0, MAX_WAITING) });
}

function end(s: Step, info: DisconnectedInfo, error?: QNRTCError): void {
  const why = error ?? new StateError('the room was left');
  if (s.state.joinRef !== undefined) s.do({ type: 'settle', ref: s.state.joinRef, error: why });
  for (const request of [...s.state.pending.values(), ...s.state.waiting]) s.do({ type: 'settle', ref: request.ref, error: why });
  s.do({ type: 'cancel-all' });
  if (s.state.socket) s.do({ type: 'close', socket: s.state.socket });
  s.set({
    phase: 'ended', joinRef: undefined, session: undefined, room: EMPTY_ROOM, publishing: false, localTracks: [],
    mutedByUs: INITIAL.mutedByUs, pending: new Map(), waiting: [],
  });
  s.connection('DISCONNECTED', info);
}

function expired(s: Step, name: string): void {
  const { phase } = s.state;
  if (name === 'open') lost(s, 1006);
  else if (name === 'retry' && phase === 'resting') open(s);
  else if (name === 'heartbeat' && phase === 'joined') lost(s, 1006);
  else if (name.startsWith('request ')) {
    const id = name.slice('request '.length);
    const request = s.state.pending.get(id);
    if (!request) return;
    forget(s, id);
    s.do({ type: 'settle', ref: request.ref, error: new NetworkError(Code.TIMEOUT, `${request.name}: no answer`) });
  }
}

function forget(s: Step, id: string): void {
  const pending = new Map(s.state.pending);
  pending.delete(id);
  s.set({ pending });
}

function request(s: Step, request: Request): void {
  const { phase } = s.state;
  if (phase === 'joined') {
    transmit(s, request);
  } else if (phase === 'idle' || phase === 'ended' || s.state.joinRef !== undefined) {
    s.do({ type: 'settle', ref: request.ref, error: new StateError(`${request.name}: not in a room`) });
  } else if (s.state.waiting.length >= MAX_WAITING) {
    s.do({ type: 'settle', ref: request.ref, error: new NetworkError(Code.RECONNECT_FAILED, `${request.name}: too much waits for the connection`) });
  } else {
    s.set({ waiting: [...s.state.waiting, request] });
  }
}

function transmit(s: Step, request: Request): void {
  const rpcid = s.nextId();
  s.set({ pending: new Map(s.state.pending).set(rpcid, request) });
  s.do({ type: 'timer', name: `request ${rpcid}`, delayMs: s.context.config.timing.requestMs });
  s.send(request.name, { ...request.body, rpcid });
}

function mute(s: Step, { ref, trackId, muted }: Extract<Input, { type: 'mute' }>): void {
  const track = s.state.localTracks.find((t) => t.trackId === trackId);
  if (!track) {
    s.do({ type: 'settle', ref, error: new StateError('the track is not published') });
    return;
  }
  s.set({ mutedByUs: { ...s.state.mutedByUs, [track.kind]: muted } });
  setLocalMuted(s, trackId, muted);
  request(s, { ref, name: 'mute-tracks', body: { tracks: [{ trackid: trackId, muted }] }, repeatable: true });
}

function setLocalMuted(s: Step, trackId: string, muted: boolean): boolean {
  const at = s.state.localTracks.findIndex((t) => t.trackId === trackId && t.muted !== muted);
  const old = s.state.localTracks[at];
  if (!old) return false;
  s.set({ localTracks: s.state.localTracks.map((t, i) => (i === at ? { ...old, muted } : t)) });
  return true;
}

function dropLocalTracks(s: Step, ids?: readonly string[]): void {
  const gone = s.state.localTracks.filter((t) => !ids || ids.includes(t.trackId));
  if (!gone.length) return;
  s.set({ localTracks: s.state.localTracks.filter((t) => !gone.includes(t)) });
  s.event({ type: 'local-tracks-removed', tracks: gone });
}

function receive(s: Step, data: unknown): void {
  const frame = parseFrame(data);
  if (!frame) return;
  const { name, body } = frame;
  const id = str(body.rpcid);
  if (s.state.phase === 'greeting' && id && id === s.state.authId) {
    authorised(s, body);
    return;
  }
  if (s.state.phase !== 'joined' && name !== 'disconnect') return;
  // Any frame shows that the socket lives; the server pings more often than this timer.
  if (s.state.phase === 'joined') s.do({ type: 'timer', name: 'heartbeat', delayMs: s.context.config.timing.heartbeatMs });
  const request = id ? s.state.pending.get(id) : undefined;
  if (request) {
    forget(s, id);
    s.do({ type: 'cancel', name: `request ${id}` });
    const code = num(body.code);
    s.do(code === 0 ? { type: 'settle', ref: request.ref } : { type: 'settle', ref: request.ref, error: answer(code, str(body.error)) });
    return;
  }
  notify(s, name, body);
}

const answer = (code: number, text: string): QNRTCError =>
  Number.isNaN(code) ? new QNRTCError(Code.FATAL, 'the server sent an answer without a code') : serverError(code, text);

function authorised(s: Step, body: Readonly<Record<string, unknown>>): void {
  const code = num(body.code);
  const token = str(body.rtmptoken);
  s.do({ type: 'cancel', name: 'open' });
  if (code !== 0 || !token) {
    refused(s, code, str(body.error));
    return;
  }
  const { joinRef, identity } = s.state;
  const session: Session = { token, host: str(body.rtmphost) };
  const before = s.state.session;
  const fresh = before === undefined;
  const renewed = joinRef === undefined && (before?.token !== session.token || before.host !== session.host);
  s.set({ phase: 'joined', attempt: 0, session, joinRef: undefined });
  s.send('pong');
  s.do({ type: 'timer', name: 'heartbeat', delayMs: s.context.config.timing.heartbeatMs });
  s.connection(joinRef === undefined ? 'RECONNECTED' : 'CONNECTED');
  // A fresh session knows nothing of what the old one pushed.
  if (fresh && joinRef === undefined) dropLocalTracks(s);
  if (joinRef !== undefined || renewed) s.event({ type: 'session', session, renewed });
  const self = identity?.userId ?? '';
  const users = readUsers(body.players, self);
  const tracks = readTracks(body.tracks).filter((t) => t.userId !== self);
  s.room(reconcile(s.state.room, users, tracks, renewed));
  if (joinRef !== undefined) s.do({ type: 'settle', ref: joinRef });
  const waiting = s.state.waiting;
  s.set({ waiting: [] });
  for (const request of waiting) transmit(s, request);
}

/** Codes that time heals. */
const PASSING = new Set<number>([Code.SERVER_UNAVAILABLE]);

function refused(s: Step, code: number, text: string): void {
  const { session, joinRef } = s.state;
  if (PASSING.has(code)) {
    lost(s, 1013);
    return;
  }
  const unknownSession = code === Code.TOKEN_ERROR || code === Code.RECONNECT_TOKEN_ERROR;
  if (session && unknownSession && s.context.config.rejoin) {
    // The server forgot us: it restarted, or we were away for too long. The room token still opens the door.
    s.do({ type: 'close', socket: s.state.socket });
    s.set({ session: undefined });
    open(s);
    return;
  }
  const error = answer(code, text);
  end(s, { reason: 'ERROR', errorCode: error.code, errorMessage: error.message }, joinRef === undefined && Number.isNaN(code) ? undefined : error);
}

function notify(s: Step, name: string, body: Readonly<Record<string, unknown>>): void {
  const { room, identity } = s.state;
  const self = identity?.userId ?? '';
  switch (name) {
    case 'ping':
      s.send('pong');
      break;
    case 'on-player-in':
      for (const user of readUsers([body], self)) s.room(addUser(room, user));
      break;
    case 'on-player-out':
      s.room(removeUser(room, str(body.playerid)));
      break;
    case 'on-add-tracks':
      s.room(addTracks(room, readTracks(body.tracks).filter((t) => t.userId !== self)));
      break;
    case 'on-remove-tracks':
      s.room(removeTracks(room, objects(body.tracks).map((t) => str(t.trackid))));
      break;
    case 'mute-tracks':
      for (const t of objects(body.tracks)) {
        const trackId = str(t.trackid);
        s.room(setMuted(s.state.room, trackId, t.muted === true));
        if (setLocalMuted(s, trackId, t.muted === true)) {
          const track = s.state.localTracks.find((local) => local.trackId === trackId);
          if (track) s.event({ type: 'local-mute-changed', track });
        }
      }
      break;
    case 'on-messages':
      for (const m of objects(body.messages)) {
        if (!str(m.playerid)) continue;
        s.event({
          type: 'message',
          message: { id: str(m.msgid), userId: str(m.playerid), text: str(m.text), timestampMs: num(m.msgts) || 0 },
        });
      }
      break;
    case 'on-add-local-tracks':
      addLocalTracks(s, readTracks(body.tracks));
      break;
    case 'on-remove-local-tracks':
      dropLocalTracks(s, objects(body.tracks).map((t) => str(t.trackid)));
      break;
    case 'on-rtmp-conn-closed':
      s.event({ type: 'push-closed', error: str(body.error) });
      break;
    case 'on-merge-job-connected':
    case 'on-merge-job-disconnected':
      s.event({ type: 'job', kind: 'merge', id: str(body.id), running: name === 'on-merge-job-connected' });
      break;
    case 'on-job-connected':
    case 'on-job-disconnected':
      s.event({ type: 'job', kind: 'forward', id: str(body.id), running: name === 'on-job-connected' });
      break;
    case 'disconnect':
      dismissed(s, num(body.code), str(body.error));
      break;
  }
}

/** Before `publish()` there is nobody to tell; what is there is told then. */
function addLocalTracks(s: Step, added: readonly TrackInfo[]): void {
  const kinds = new Set(added.map((t) => t.kind));
  s.set({ localTracks: [...s.state.localTracks.filter((t) => !kinds.has(t.kind)), ...added] });
  for (const t of added) {
    if (s.state.mutedByUs[t.kind] && !t.muted) mute(s, { type: 'mute', ref: 0, trackId: t.trackId, muted: true });
  }
  if (s.state.publishing) s.event({ type: 'local-tracks', tracks: s.state.localTracks });
}

function dismissed(s: Step, code: number, text: string): void {
  if (code === Code.SERVER_UNAVAILABLE) {
    lost(s, 1001);
  } else if (code === 0) {
    end(s, { reason: 'LEAVE' });
  } else {
    const error = answer(code, text);
    end(s, { reason: code === Code.KICKED_OUT ? 'KICKED_OUT' : 'ERROR', errorCode: error.code, errorMessage: error.message }, error);
  }
}
