// A WHIP encoder and a WHEP player through the npm package whip-whep.
import './wrap.js';
import { WHIPClient } from 'whip-whep/whip.js';
import { WHEPClient } from 'whip-whep/whep.js';
import { Probes } from './probe.js';

const probes = new Probes();
let whip;
let raw;

async function ask(method, url, body, headers, token = raw.token) {
  const res = await fetch(url, { method, body, headers: { Authorization: `Bearer ${token}`, ...headers } });
  return { status: res.status, headers: Object.fromEntries(res.headers), body: await res.text() };
}
const credentials = (sdp) => ({ ufrag: /a=ice-ufrag:(\S+)/.exec(sdp)?.[1], pwd: /a=ice-pwd:(\S+)/.exec(sdp)?.[1] });

let whep;

window.member = {
  probe: () => probes.read(),
  async publish(url, token) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480 } });
    const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    for (const track of stream.getTracks()) pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
    whip = new WHIPClient();
    await whip.publish(pc, url, token);
  },
  // The same by hand, over the plain requests of RFC 9725, from another origin.
  async rawPublish(url, token, { red } = {}) {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480 } });
    raw = { pc: new RTCPeerConnection({ bundlePolicy: 'max-bundle' }), token, url };
    for (const track of stream.getTracks()) raw.pc.addTransceiver(track, { direction: 'sendonly', streams: [stream] });
    if (red) {
      const codecs = RTCRtpSender.getCapabilities('audio').codecs.filter((c) => ['audio/red', 'audio/opus'].includes(c.mimeType));
      raw.pc.getTransceivers()[0].setCodecPreferences(codecs.sort((x, y) => y.mimeType.localeCompare(x.mimeType)));
    }
    await raw.pc.setLocalDescription(await raw.pc.createOffer());
    const answer = await ask('POST', url, raw.pc.localDescription.sdp, { 'Content-Type': 'application/sdp' });
    raw.location = new URL(answer.headers.location, url).href;
    raw.etag = answer.headers.etag;
    await raw.pc.setRemoteDescription({ type: 'answer', sdp: answer.body });
    return { status: answer.status, headers: answer.headers, location: raw.location };
  },
  rawPatch: (fragment, condition) => ask('PATCH', raw.location, fragment, { 'Content-Type': 'application/trickle-ice-sdpfrag', ...(condition && { 'If-Match': condition }) }),
  rawCredentials: () => ({ ...credentials(raw.pc.localDescription.sdp), etag: raw.etag }),
  rawState: () => ({ state: raw.pc.connectionState, remote: credentials(raw.pc.remoteDescription.sdp) }),
  async rawRestart() {
    await raw.pc.setLocalDescription(await raw.pc.createOffer({ iceRestart: true }));
    const own = credentials(raw.pc.localDescription.sdp);
    const answer = await window.member.rawPatch(`a=ice-ufrag:${own.ufrag}\r\na=ice-pwd:${own.pwd}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n`, '*');
    if (answer.status === 200) {
      const next = credentials(answer.body);
      const old = credentials(raw.pc.remoteDescription.sdp);
      await raw.pc.setRemoteDescription({ type: 'answer', sdp: raw.pc.remoteDescription.sdp.replaceAll(old.ufrag, next.ufrag).replaceAll(old.pwd, next.pwd) });
    }
    return { ...answer, before: raw.etag };
  },
  rawDelete: (token = raw.token) => ask('DELETE', raw.location, undefined, {}, token),
  stopPublishing: () => whip.stop(),
  async view(url, token) {
    const pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
    pc.addTransceiver('audio', { direction: 'recvonly' });
    pc.addTransceiver('video', { direction: 'recvonly' });
    pc.ontrack = ({ track }) => (track.kind === 'video' ? probes.watchVideo('video', track) : probes.watchAudio('audio', track));
    whep = new WHEPClient();
    await whep.view(pc, url, token);
  },
  stopViewing: () => whep.stop(),
};
