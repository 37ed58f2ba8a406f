// A WHIP encoder and a WHEP player through the npm package whip-whep.
import './wrap.js';
import { WHIPClient } from 'whip-whep/whip.js';
import { WHEPClient } from 'whip-whep/whep.js';
import { Probes } from './probe.js';

const probes = new Probes();
let whip;
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
