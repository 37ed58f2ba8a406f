// Made-up people for working on the pages without a server: /r/demo?mock=7&view=…, in development only.

import { markRaw } from 'vue';
import {
  addMessage, addNotice, createCallState, newMember, type CallSession, type CallState, type JoinRequest, type Member, type StreamRow,
} from '../call/model';
import type { Problem } from '../logic/errors';
import { hashOf } from '../logic/names';
import type { Quality } from '../logic/stats';
import { drawPortrait, drawSlides } from './pictures';

const kNames = ['Mei Tanaka', '林小雨', 'Ada Okafor', 'Jonas Weber', '王子墨', 'Sofia Rossi', 'Liam Murphy', 'Priya Nair', '陈思远', 'Elena Petrova', 'Omar Haddad', 'Noor Khan'];

function pictureTrack(draw: (context: CanvasRenderingContext2D, time: number) => void, width: number, height: number): MediaStreamTrack {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext('2d')!;
  const started = performance.now();
  const paint = () => draw(context, (performance.now() - started) / 1000);
  paint();
  const stream = canvas.captureStream(8);
  const timer = setInterval(paint, 140);
  const track = stream.getVideoTracks()[0]!;
  track.addEventListener('ended', () => clearInterval(timer));
  return markRaw(track);
}

export function createMockSession(count: number, query: URLSearchParams): CallSession {
  const request: JoinRequest = {
    room: 'morning-sync', displayName: kNames[0]!, token: '', admin: true, micOn: true, cameraOn: true, audioOnly: false, mirror: true,
    devices: { camera: '', microphone: '', speaker: '' },
  };
  const state: CallState = createCallState(request, 'u0');
  const session = new MockSession(state, count);
  const problem = query.get('end');
  if (problem) state.phase = { kind: 'ended', problem: problem === 'left' ? null : (problem as Problem) };
  if (query.get('phase') === 'reconnecting') state.phase = { kind: 'reconnecting' };
  if (query.get('phase') === 'rejoining') state.phase = { kind: 'rejoining', attempt: 3 };
  if (query.get('notice')) addNotice(state, query.get('notice')!, 'info', 60_000);
  if (query.get('screen')) state.members[1]!.screen = pictureTrack(drawSlides, 1280, 720);
  return session;
}

class MockSession implements CallSession {
  constructor(readonly state: CallState, count: number) {
    state.admin = true;
    state.startedAt = Date.now() - 754_000;
    for (let i = 0; i < count; i++) {
      const m: Member = newMember(`u${i}`, kNames[i % kNames.length]!, i === 0);
      m.micOn = i % 4 !== 3;
      m.cameraOn = i % 5 !== 4;
      m.video = pictureTrack((context, time) => drawPortrait(context, time, hashOf(m.id + m.name)), 640, 360);
      m.quality = ([4, 4, 3, 4, 2, 4, 1] as Quality[])[i % 7]!;
      m.level = i === 1 ? 0.2 : 0;
      m.reconnecting = i === 6;
      state.members.push(m);
    }
    state.speakerId = count > 1 ? 'u1' : null;
    state.quality = 4;
    state.phase = { kind: 'live', restored: false };
    this.talk();
    this.measure();
  }

  private talk(): void {
    const lines: [number, string][] = [
      [1, 'Good morning everyone ☀️'],
      [2, '早上好！大家都到了吗？'],
      [0, 'Morning! Notes are here: https://example.org/notes/monday'],
      [1, 'Thanks. I will share my screen in a minute.'],
      [1, 'Sound and picture are very clear today.'],
    ];
    lines.forEach(([who, text], i) => {
      const m = this.state.members[who];
      if (!m) return;
      addMessage(this.state, { id: `m${i}`, from: m.id, name: m.name, text, at: Date.now() - 300_000 + i * 50_000, own: who === 0, failed: false });
    });
  }

  private measure(): void {
    const rows: StreamRow[] = [];
    this.state.members.forEach((m, i) => {
      const direction = m.local ? 'out' : 'in';
      const small = !m.local && this.state.members.length > 4;
      rows.push(
        { key: `${i}v`, who: m.name, what: 'camera', direction, layer: small ? 'low' : 'high', codec: 'H264', bitrateBps: small ? 148_000 : 1_480_000, framesPerSecond: 25, width: small ? 320 : 1280, height: small ? 180 : 720, loss: i === 4 ? 0.021 : 0, rttMs: 18 },
        { key: `${i}a`, who: m.name, what: 'audio', direction, layer: '', codec: 'opus', bitrateBps: 52_000, framesPerSecond: 0, width: 0, height: 0, loss: 0, rttMs: 18 },
      );
    });
    this.state.rows = rows;
    this.state.link = { rttMs: 18, sentBps: 1_700_000, receivedBps: 4_200_000, protocol: 'udp' };
  }

  async start(): Promise<void> {}
  async leave(): Promise<void> {
    this.state.phase = { kind: 'ended', problem: null };
  }
  async setMic(on: boolean): Promise<void> {
    this.state.micOn = on;
    this.state.members[0]!.micOn = on;
  }
  async setCamera(on: boolean): Promise<void> {
    this.state.cameraOn = on;
    this.state.members[0]!.cameraOn = on;
  }
  async setSharing(on: boolean): Promise<void> {
    this.state.sharing = on;
    this.state.members[0]!.screen = on ? pictureTrack(drawSlides, 1280, 720) : null;
  }
  async useDevice(): Promise<void> {}
  sendMessage(text: string): void {
    addMessage(this.state, { id: String(Math.random()), from: 'u0', name: kNames[0]!, text, at: Date.now(), own: true, failed: false });
  }
  async kick(memberId: string): Promise<void> {
    const at = this.state.members.findIndex((m) => m.id === memberId);
    if (at > 0) this.state.members.splice(at, 1);
  }
  setLowStreams(): void {}
  async resumeAudio(): Promise<void> {
    this.state.audioBlocked = false;
  }
}
