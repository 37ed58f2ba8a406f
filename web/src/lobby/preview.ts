// The camera picture and the microphone level before a call.

import { markRaw, onBeforeUnmount, ref, shallowRef, watch } from 'vue';
import type { Problem } from '../logic/errors';
import { LevelMeters } from '../rtc/levels';
import { openDevice, refreshDevices } from '../ui/devices';
import { settings } from '../ui/settings';

export function usePreview() {
  const video = shallowRef<MediaStreamTrack | null>(null);
  const microphone = shallowRef<MediaStreamTrack | null>(null);
  const cameraProblem = ref<Problem | null>(null);
  const microphoneProblem = ref<Problem | null>(null);
  const opening = ref(false);
  const level = ref(0);
  const meters = new LevelMeters();
  let closed = false;
  let cameraTurn = 0;
  let microphoneTurn = 0;

  async function openCamera() {
    const turn = ++cameraTurn;
    video.value?.stop();
    video.value = null;
    cameraProblem.value = null;
    opening.value = false;
    if (!settings.cameraOn || settings.audioOnly) return;
    opening.value = true;
    const { track, problem } = await openDevice('camera', settings.camera);
    if (closed || turn !== cameraTurn) {
      track?.stop();
      return;
    }
    opening.value = false;
    video.value = track ? markRaw(track) : null;
    cameraProblem.value = problem;
    void refreshDevices();
  }

  async function openMicrophone() {
    const turn = ++microphoneTurn;
    microphone.value?.stop();
    microphone.value = null;
    microphoneProblem.value = null;
    meters.set('own', null);
    if (!settings.micOn) return;
    const { track, problem } = await openDevice('microphone', settings.microphone);
    if (closed || turn !== microphoneTurn) {
      track?.stop();
      return;
    }
    microphone.value = track ? markRaw(track) : null;
    microphoneProblem.value = problem;
    meters.set('own', track);
    void refreshDevices();
  }

  const timer = window.setInterval(() => {
    level.value = Math.min(1, Math.sqrt(meters.read('own')) * 1.6);
  }, 80);

  const onDeviceChange = () => void refreshDevices();
  navigator.mediaDevices?.addEventListener?.('devicechange', onDeviceChange);

  // Browsers hold the audio context back until the page was touched.
  const wake = () => meters.resume();
  document.addEventListener('pointerdown', wake);
  document.addEventListener('keydown', wake);

  function close() {
    if (closed) return;
    closed = true;
    clearInterval(timer);
    navigator.mediaDevices?.removeEventListener?.('devicechange', onDeviceChange);
    document.removeEventListener('pointerdown', wake);
    document.removeEventListener('keydown', wake);
    video.value?.stop();
    microphone.value?.stop();
    meters.close();
  }

  watch(() => [settings.cameraOn, settings.audioOnly, settings.camera], () => void openCamera());
  watch(() => [settings.micOn, settings.microphone], () => void openMicrophone());
  onBeforeUnmount(close);

  // One after the other, so that a browser asks one question at a time.
  void openCamera().then(openMicrophone);

  async function retry() {
    await openCamera();
    await openMicrophone();
  }

  return { video, cameraProblem, microphoneProblem, opening, level, retry, close };
}
