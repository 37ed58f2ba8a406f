// What a person would see and hear, as numbers: decoded frames, picture size, audio energy.
export class Probes {
  constructor() {
    this.video = new Map();
    this.audio = new Map();
  }

  watchVideo(key, track) {
    const element = document.createElement('video');
    element.muted = true;
    element.autoplay = true;
    element.playsInline = true;
    element.srcObject = new MediaStream([track]);
    document.body.append(element);
    element.play().catch(() => {});
    this.video.set(key, element);
  }

  watchAudio(key, track) {
    // Chromium feeds WebAudio from a remote track only while some element plays it.
    const element = new Audio();
    element.srcObject = new MediaStream([track]);
    element.muted = true;
    element.play().catch(() => {});
    this.context ??= new AudioContext();
    const analyser = this.context.createAnalyser();
    this.context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
    // The made microphone beeps once a second: one look now and then would miss it.
    const peaks = [];
    const buffer = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(buffer);
      peaks.push(Math.max(...buffer.map(Math.abs)));
      if (peaks.length > 60) peaks.shift();
    }, 25);
    this.audio.set(key, { element, timer, peaks });
  }

  forget(key) {
    this.video.get(key)?.remove();
    this.video.delete(key);
    clearInterval(this.audio.get(key)?.timer);
    this.audio.delete(key);
  }

  read() {
    const out = {};
    for (const [key, v] of this.video) {
      out[key] = { frames: v.mozPaintedFrames ?? v.getVideoPlaybackQuality().totalVideoFrames, width: v.videoWidth, height: v.videoHeight };
    }
    for (const [key, a] of this.audio) out[key] = { peak: Math.max(0, ...a.peaks) };
    return out;
  }
}

/// Collects every PeerConnection, so that tests can ask for statistics that the client library hides.
export function collectPeerConnections() {
  const all = [];
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = function RTCPeerConnection(...args) {
    const pc = new Original(...args);
    all.push(pc);
    return pc;
  };
  window.RTCPeerConnection.prototype = Original.prototype;
  Object.setPrototypeOf(window.RTCPeerConnection, Original);
  window.peerConnections = all;
  window.rtcStats = async () => {
    const out = [];
    for (const pc of all) {
      if (pc.connectionState === 'closed') continue;
      const report = await pc.getStats();
      for (const s of report.values()) {
        if (['inbound-rtp', 'outbound-rtp', 'candidate-pair', 'local-candidate', 'remote-candidate', 'transport', 'remote-inbound-rtp'].includes(s.type)) {
          out.push({ ...s, pc: all.indexOf(pc) });
        }
      }
    }
    return out;
  };
}
