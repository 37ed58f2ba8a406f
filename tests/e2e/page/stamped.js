// A member whose camera shows a time code and whose microphone plays a tone, and who reads those of others.
import './web4.js';
import { drawPicture, readPicture, readTone, toneOf } from '../../../testing/fake-wechat/src/picture.ts';

const VIEW = { width: 160, height: 120 };
const watched = new Map();
let audio;

function camera(source, { width = 320, height = 240, fps = 15 } = {}) {
  const canvas = document.createElement('canvas');
  Object.assign(canvas, { width, height });
  const context = canvas.getContext('2d');
  const picture = context.createImageData(width, height);
  const luma = new Uint8Array(width * height);
  const draw = () => {
    drawPicture(luma, width, height, { source, timeMs: Date.now() });
    for (let i = 0; i < luma.length; ++i) {
      picture.data.fill(luma[i], i * 4, i * 4 + 3);
      picture.data[i * 4 + 3] = 255;
    }
    context.putImageData(picture, 0, 0);
  };
  draw();
  setInterval(draw, 1000 / fps);
  return canvas.captureStream(fps).getVideoTracks()[0];
}

function microphone(source) {
  audio ??= new AudioContext({ sampleRate: 48000 });
  const oscillator = new OscillatorNode(audio, { frequency: toneOf(source) });
  const quieter = new GainNode(audio, { gain: 0.3 });
  const out = audio.createMediaStreamDestination();
  oscillator.connect(quieter).connect(out);
  oscillator.start();
  return out.stream.getAudioTracks()[0];
}

window.stamp = {
  use(source, size) {
    navigator.mediaDevices.getUserMedia = async (wanted) =>
      new MediaStream([...(wanted.video ? [camera(source, size)] : []), ...(wanted.audio ? [microphone(source)] : [])]);
  },

  watch(trackID) {
    const track = window.member.remoteTrack(trackID).getMediaStreamTrack();
    if (watched.get(trackID)?.track === track) return watched.get(trackID);
    const entry = { track };
    if (track.kind === 'video') {
      entry.video = document.createElement('video');
      Object.assign(entry.video, { muted: true, autoplay: true, playsInline: true, srcObject: new MediaStream([track]) });
      document.body.append(entry.video);
      entry.video.play().catch(() => {});
    } else {
      audio ??= new AudioContext({ sampleRate: 48000 });
      entry.analyser = new AnalyserNode(audio, { fftSize: 16384 });
      audio.createMediaStreamSource(new MediaStream([track])).connect(entry.analyser);
    }
    watched.set(trackID, entry);
    return entry;
  },

  /// What is on the screen now: `{ source, timeMs, width, height }`, or undefined.
  see(trackID) {
    const { video } = window.stamp.watch(trackID);
    if (!video.videoWidth) return undefined;
    const canvas = new OffscreenCanvas(VIEW.width, VIEW.height);
    const context = canvas.getContext('2d');
    context.drawImage(video, 0, 0, VIEW.width, VIEW.height);
    const { data } = context.getImageData(0, 0, VIEW.width, VIEW.height);
    const luma = Uint8Array.from({ length: VIEW.width * VIEW.height }, (_, i) => 0.299 * data[i * 4] + 0.587 * data[i * 4 + 1] + 0.114 * data[i * 4 + 2]);
    const code = readPicture(luma, VIEW.width, VIEW.height);
    return code && { ...code, width: video.videoWidth, height: video.videoHeight };
  },

  /// Whose tone it is now, or undefined for silence.
  hear(trackID) {
    const { analyser } = window.stamp.watch(trackID);
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    return readTone(samples.subarray(-9600), audio.sampleRate, 0.003);
  },

  /// Tracks of a user by kind.
  tracksOf(userID) {
    const user = window.member.users().find((u) => u.userID === userID);
    return (user?.tracks ?? []).map((t) => ({ ...t, kind: window.member.remoteTrack(t.id).isVideo() ? 'video' : 'audio' }));
  },
};
