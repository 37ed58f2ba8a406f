// A member of a room through the unmodified qnweb-rtc client.
import './wrap.js';
import QNRTC from 'qnweb-rtc';
import { Probes } from './probe.js';


const probes = new Probes();
const events = [];
const note = (name, data) => events.push({ name, at: Date.now(), ...data });


let client;
const local = new Map();

/// A picture that no encoder can make small, so that the rate is what the network side allows.
function noise({ width = 640, height = 360, frameRate = 15 }) {
  // One random colour for each 8 x 8 pixels: about 3 Mb/s when nothing holds the encoder back.
  const source = new OffscreenCanvas(width / 4, height / 4);
  const paint = source.getContext('2d');
  const image = paint.createImageData(source.width, source.height);
  const words = new Uint32Array(image.data.buffer);
  for (let i = 0; i < words.length; ++i) words[i] = (Math.random() * 0x1000000) | 0xff000000;
  paint.putImageData(image, 0, 0);
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  document.body.append(canvas);
  const to = canvas.getContext('2d');
  to.imageSmoothingEnabled = false;
  to.scale(8, 8);
  setInterval(() => to.drawImage(source, -Math.floor(Math.random() * width / 8), -Math.floor(Math.random() * height / 8)), 1000 / frameRate);
  return canvas.captureStream(frameRate).getVideoTracks()[0];
}

window.member = {
  events: () => events,
  probe: () => probes.read(),

  async join({ token, host, userData = '', config = {}, mode, role }) {
    QNRTC.setLogLevel('WARNING');
    QNRTC.setConfig({ mcuServerHosts: [host], ...config });
    client = QNRTC.createClient();
    window.client = client;
    client.on('connection-state-changed', (state, info) => note('state', { state, info }));
    client.on('user-joined', (userID, data) => note('user-joined', { userID, userData: data }));
    client.on('user-left', (userID) => note('user-left', { userID }));
    client.on('user-reconnecting', (userID) => note('user-reconnecting', { userID }));
    client.on('user-reconnected', (userID) => note('user-reconnected', { userID }));
    client.on('message-received', (m) => note('message', { m: { ID: m.ID, userID: m.userID, content: m.content, timestamp: m.timestamp } }));
    client.on('user-published', async (userID, tracks) => {
      note('user-published', { userID, tracks: tracks.map((t) => ({ id: t.trackID, tag: t.tag, kind: t.isAudio() ? 'audio' : 'video' })) });
      for (const t of tracks) {
        t.on('mute-state-changed', (muted) => note('mute', { userID, trackID: t.trackID, muted: t.isMuted(), argument: muted }));
        t.on('profile-changed', (profile) => note('profile', { trackID: t.trackID, profile }));
        t.on('low-stream-state-changed', (low) => note('low-stream', { trackID: t.trackID, low }));
      }
      if (window.member.autoSubscribe) await window.member.subscribe(tracks.map((t) => t.trackID));
    });
    client.on('user-unpublished', (userID, tracks) => {
      note('user-unpublished', { userID, tracks: tracks.map((t) => t.trackID) });
      for (const t of tracks) probes.forget(t.trackID);
    });
    if (mode) await client.setClientMode(mode);
    if (role) await client.setClientRole(role);
    await client.join(token, userData);
    return client.userID;
  },
  autoSubscribe: true,

  leave: () => client.leave(),
  users: () => client.remoteUsers.map((u) => ({
    userID: u.userID, userData: u.userData,
    tracks: [...u.getVideoTracks(), ...u.getAudioTracks()].map((t) => ({ id: t.trackID, tag: t.tag, muted: t.isMuted() })),
  })),
  remoteTrack(trackID) {
    for (const u of client.remoteUsers) {
      for (const t of [...u.getVideoTracks(), ...u.getAudioTracks()]) if (t.trackID === trackID) return t;
    }
    throw new Error(`no remote track ${trackID}`);
  },

  async create(name, kind, config = {}) {
    let track;
    if (kind === 'camera') track = await QNRTC.createCameraVideoTrack({ tag: name, ...config });
    if (kind === 'microphone') track = await QNRTC.createMicrophoneAudioTrack({ tag: name, ...config });
    if (kind === 'noise') track = QNRTC.createCustomVideoTrack({ tag: name, mediaStreamTrack: noise(config), bitrate: config.bitrate });
    if (kind === 'screen') track = await QNRTC.createScreenVideoTrack({ screenVideoTag: name, ...config }, 'disable');
    local.set(name, track);
  },
  async publish(...names) {
    await client.publish(names.map((n) => local.get(n)));
    return names.map((n) => local.get(n).trackID);
  },
  unpublish: (...names) => client.unpublish(names.map((n) => local.get(n))),
  setMuted: (name, muted) => local.get(name).setMuted(muted),

  async subscribe(trackIDs) {
    const tracks = trackIDs.map((id) => window.member.remoteTrack(id));
    const result = await client.subscribe(tracks);
    for (const t of result.videoTracks) probes.watchVideo(t.trackID, t.getMediaStreamTrack());
    for (const t of result.audioTracks) probes.watchAudio(t.trackID, t.getMediaStreamTrack());
    note('subscribed', { tracks: [...result.videoTracks, ...result.audioTracks].map((t) => t.trackID) });
  },
  async unsubscribe(trackIDs) {
    await client.unsubscribe(trackIDs.map((id) => window.member.remoteTrack(id)));
    for (const id of trackIDs) probes.forget(id);
  },
  setProfile: (trackID, profile) => window.member.remoteTrack(trackID).setProfile(profile),
  setLowStream: (trackID, low) => window.member.remoteTrack(trackID).setLowStream(low),
  send: (id, text, users) => client.sendMessage(id, text, users?.map((u) => client.getRemoteUser(u))),
  quality: (userID) => client.getUserNetworkQuality?.(userID),
};
