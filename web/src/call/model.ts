// What the call page shows and what it can ask for. The page knows only this; `rtc/` fills it from a real call and
// `mock/` from made-up people.

import { reactive } from 'vue';
import type { Phase } from '../logic/connection';
import type { DeviceKind, Problem } from '../logic/errors';
import type { QualityChoice } from '../logic/layout';
import type { LinkStats, Quality, StreamStats } from '../logic/stats';

export interface Member {
  id: string;
  name: string;
  local: boolean;
  micOn: boolean;
  cameraOn: boolean;
  /** Raw browser tracks, never made reactive. */
  video: MediaStreamTrack | null;
  screen: MediaStreamTrack | null;
  level: number;
  quality: Quality;
  reconnecting: boolean;
  joinedAt: number;
}

export interface ChatMessage {
  id: string;
  from: string;
  name: string;
  text: string;
  at: number;
  own: boolean;
  failed: boolean;
}

export interface Notice {
  id: number;
  text: string;
  tone: 'info' | 'warning';
}

export interface StreamRow extends Omit<StreamStats, 'trackId' | 'kind' | 'layer' | 'jitterMs'> {
  who: string;
  what: 'camera' | 'screen' | 'audio';
  layer: '' | 'high' | 'low';
}

export interface CallState {
  room: string;
  selfId: string;
  admin: boolean;
  phase: Phase;
  startedAt: number;
  members: Member[];
  speakerId: string | null;
  messages: ChatMessage[];
  notices: Notice[];
  micOn: boolean;
  cameraOn: boolean;
  sharing: boolean;
  micBusy: boolean;
  cameraBusy: boolean;
  shareBusy: boolean;
  audioBlocked: boolean;
  problem: Problem | null;
  devices: Choice;
  mirror: boolean;
  audioOnly: boolean;
  receive: QualityChoice;
  link: Pick<LinkStats, 'rttMs' | 'sentBps' | 'receivedBps' | 'protocol'>;
  rows: StreamRow[];
  quality: Quality;
}

/** The devices that were chosen; '' is the system's default. */
export interface Choice {
  camera: string;
  microphone: string;
  speaker: string;
}

export interface JoinRequest {
  room: string;
  displayName: string;
  token: string;
  admin: boolean;
  micOn: boolean;
  cameraOn: boolean;
  audioOnly: boolean;
  mirror: boolean;
  devices: Choice;
}

export interface CallSession {
  readonly state: CallState;
  start(): Promise<void>;
  leave(): Promise<void>;
  setMic(on: boolean): Promise<void>;
  setCamera(on: boolean): Promise<void>;
  setSharing(on: boolean): Promise<void>;
  useDevice(kind: Exclude<DeviceKind, 'screen'> | 'speaker', deviceId: string): Promise<void>;
  sendMessage(text: string): void;
  kick(memberId: string): Promise<void>;
  /** Tells which cameras are shown small, so that their small stream is enough. */
  setLowStreams(lowIds: ReadonlySet<string>): void;
  resumeAudio(): Promise<void>;
}

export const kMaxMessages = 500;
export const kMaxMessageLength = 2000;

export function createCallState(request: JoinRequest, selfId: string): CallState {
  return reactive<CallState>({
    room: request.room,
    selfId,
    admin: false,
    phase: { kind: 'joining' },
    startedAt: 0,
    members: [],
    speakerId: null,
    messages: [],
    notices: [],
    micOn: request.micOn,
    cameraOn: request.cameraOn && !request.audioOnly,
    sharing: false,
    micBusy: false,
    cameraBusy: false,
    shareBusy: false,
    audioBlocked: false,
    problem: null,
    devices: { ...request.devices },
    mirror: request.mirror,
    audioOnly: request.audioOnly,
    receive: 'auto',
    link: { rttMs: -1, sentBps: 0, receivedBps: 0, protocol: '' },
    rows: [],
    quality: 0,
  }) as CallState;
}

export function newMember(id: string, name: string, local: boolean): Member {
  return {
    id, name, local, micOn: false, cameraOn: false, video: null, screen: null, level: 0, quality: 0, reconnecting: false,
    joinedAt: Date.now(),
  };
}

let nextNoticeId = 1;
const kMaxNotices = 3;

export function addNotice(state: CallState, text: string, tone: Notice['tone'] = 'info', lifeMs = 4000): void {
  const id = nextNoticeId++;
  state.notices.push({ id, text, tone });
  if (state.notices.length > kMaxNotices) state.notices.shift();
  setTimeout(() => {
    const at = state.notices.findIndex((n) => n.id === id);
    if (at >= 0) state.notices.splice(at, 1);
  }, lifeMs);
}

export function addMessage(state: CallState, message: ChatMessage): void {
  state.messages.push(message);
  if (state.messages.length > kMaxMessages) state.messages.splice(0, state.messages.length - kMaxMessages);
}
