// The devices of this machine, and opening them with an error that can be told to a person.

import { ref } from 'vue';
import { problemFromMedia, type Problem } from '../logic/errors';

export const mediaAllowed = (): boolean => window.isSecureContext && !!navigator.mediaDevices?.getUserMedia;

export const canChooseSpeaker = (): boolean => 'setSinkId' in HTMLMediaElement.prototype;

export const canShareScreen = (): boolean => !!navigator.mediaDevices && 'getDisplayMedia' in navigator.mediaDevices;

export const devices = ref<MediaDeviceInfo[]>([]);

export async function refreshDevices(): Promise<void> {
  if (!navigator.mediaDevices?.enumerateDevices) return;
  const all = await navigator.mediaDevices.enumerateDevices();
  // Before the permission, browsers list devices without an id; "default" repeats one of the others.
  devices.value = all.filter((d) => d.deviceId !== '' && d.deviceId !== 'default' && d.deviceId !== 'communications');
}

export const devicesOf = (kind: MediaDeviceKind): MediaDeviceInfo[] => devices.value.filter((d) => d.kind === kind);

export interface Opened {
  track: MediaStreamTrack | null;
  problem: Problem | null;
}

export async function openDevice(kind: 'camera' | 'microphone', deviceId: string): Promise<Opened> {
  if (!mediaAllowed()) return { track: null, problem: 'insecure' };
  const device = deviceId ? { deviceId: { exact: deviceId } } : {};
  try {
    const stream = await navigator.mediaDevices.getUserMedia(
      kind === 'camera' ? { video: { ...device, width: { ideal: 1280 }, height: { ideal: 720 } } } : { audio: { ...device } },
    );
    return { track: stream.getTracks()[0] ?? null, problem: null };
  } catch (error) {
    // A remembered device that is gone should not keep anybody from calling with another one.
    if (deviceId && (error as DOMException).name === 'OverconstrainedError') return openDevice(kind, '');
    return { track: null, problem: problemFromMedia(error, kind) };
  }
}

export function playTestSound(deviceId: string): void {
  const context = new AudioContext();
  const sink = context as AudioContext & { setSinkId?: (id: string) => Promise<void> };
  const play = () => {
    const notes = [523.25, 659.25, 783.99];
    notes.forEach((frequency, i) => {
      const start = context.currentTime + i * 0.16;
      const oscillator = context.createOscillator();
      const gain = context.createGain();
      oscillator.frequency.value = frequency;
      gain.gain.setValueAtTime(0, start);
      gain.gain.linearRampToValueAtTime(0.22, start + 0.02);
      gain.gain.exponentialRampToValueAtTime(0.001, start + 0.6);
      oscillator.connect(gain).connect(context.destination);
      oscillator.start(start);
      oscillator.stop(start + 0.65);
    });
    setTimeout(() => void context.close(), 1600);
  };
  if (deviceId && sink.setSinkId) sink.setSinkId(deviceId).then(play, play);
  else play();
}
