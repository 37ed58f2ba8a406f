// A member of a room through the unmodified pili-rtc-web client (2.5.2).
import './wrap.js';
import * as QNRTC from 'pili-rtc-web';
import { Probes } from './probe.js';

const probes = new Probes();
const events = [];
const note = (name, data) => events.push({ name, at: Date.now(), ...data });
let session;
let published = [];

window.member = {
  events: () => events,
  probe: () => probes.read(),
  autoSubscribe: true,

  async join({ token, userData = '', config = {} }) {
    QNRTC.log.setLevel?.('warn');
    session = new QNRTC.TrackModeSession(config);
    window.session = session;
    session.on('room-state-change', (state) => note('state', { state }));
    session.on('user-join', (u) => note('user-joined', { userID: u.userId, userData: u.userData }));
    session.on('user-leave', (u) => note('user-left', { userID: u.userId }));
    session.on('disconnect', (d) => note('disconnect', { code: d.code }));
    session.on('messages-received', (ms) => ms.forEach((m) => note('message', { m })));
    session.on('mute-tracks', (ts) => ts.forEach((t) => note('mute', { trackID: t.trackId, muted: t.muted })));
    session.on('remove-track', (ts) => note('user-unpublished', { tracks: ts.map((t) => t.trackId) }));
    const onTracks = async (tracks) => {
      note('user-published', { userID: tracks[0]?.userId, tracks: tracks.map((t) => ({ id: t.trackId, tag: t.tag, kind: t.kind })) });
      if (window.member.autoSubscribe) await window.member.subscribe(tracks.map((t) => t.trackId));
    };
    session.on('track-add', onTracks);
    await session.joinRoomWithToken(token, userData);
    const known = session.trackInfoList ?? [];
    const others = known.filter((t) => t.userId !== session.userId);
    if (others.length) await onTracks(others);
    return session.userId;
  },

  async publish() {
    published = await QNRTC.deviceManager.getLocalTracks({ audio: { enabled: true, tag: 'mic' }, video: { enabled: true, tag: 'cam', bitrate: 600 } });
    for (const t of published) t.setMaster?.(true);
    await session.publish(published);
    return published.map((t) => t.info.trackId);
  },
  unpublish: () => session.unpublish(published.map((t) => t.info.trackId)),
  mute: (muted) => session.muteTracks(published.map((t) => ({ trackId: t.info.trackId, muted }))),
  async subscribe(ids) {
    const tracks = await session.subscribe(ids);
    for (const t of tracks) {
      const media = t.mediaTrack ?? t.track?.mediaTrack ?? t.getMediaStreamTrack?.();
      if (t.info.kind === 'video') probes.watchVideo(t.info.trackId, media);
      else probes.watchAudio(t.info.trackId, media);
    }
    note('subscribed', { tracks: ids });
  },
  send: (id, text, users) => session.sendCustomMessage(text, users, id),
  kick: (userId) => session.kickoutUser(userId),
  leave: () => session.leaveRoom(),
};
