// A member that speaks the signalling by hand, without media: for what the published clients never do.
import WebSocket from 'ws';
import { until } from './browser.mjs';

const extmaps = (list) => list.map(([id, uri]) => `a=extmap:${id} ${uri}`);
const mid = [4, 'urn:ietf:params:rtp-hdrext:sdes:mid'];
/// What a Chromium can do, cut down to what matters.
export const capsdp = [
  'v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0 1',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'c=IN IP4 0.0.0.0', 'a=mid:0', 'a=recvonly', 'a=rtcp-mux', ...extmaps([mid]),
  'a=rtpmap:111 opus/48000/2', 'a=fmtp:111 minptime=10;useinbandfec=1',
  'm=video 9 UDP/TLS/RTP/SAVPF 108 109', 'c=IN IP4 0.0.0.0', 'a=mid:1', 'a=recvonly', 'a=rtcp-mux', ...extmaps([mid]),
  'a=rtpmap:108 H264/90000', 'a=rtcp-fb:108 nack pli', 'a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f',
  'a=rtpmap:109 rtx/90000', 'a=fmtp:109 apt=108', ''].join('\r\n');

/// The offer of a publish connection that will never come up.
export const offerSdp = [
  'v=0', 'o=- 1 2 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 2',
  'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'c=IN IP4 0.0.0.0', 'a=mid:2', 'a=sendonly', 'a=rtcp-mux', 'a=setup:actpass', 'a=ice-ufrag:abcd', 'a=ice-pwd:0123456789012345678901',
  `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`, 'a=rtpmap:111 opus/48000/2', 'a=msid:s mic-1', 'a=ssrc:1111 cname:x', ''].join('\r\n');

export async function accessToken(server, room, user, token) {
  const res = await fetch(`${server.origin}/v3/apps/demo/rooms/${room}/auth?user=${user}&token=${token}`);
  return { status: res.status, headers: res.headers, body: await res.json() };
}

export class Signaller {
  constructor(server) {
    this.server = server;
    this.inbox = [];
    this.answersPings = true;
    this.next = 0;
  }

  async open() {
    this.socket = new WebSocket(this.url ?? this.server.origin.replace('http', 'ws'), { perMessageDeflate: false });
    this.closed = new Promise((resolve) => this.socket.on('close', (code) => { this.closeCode = code; resolve(code); }));
    this.socket.on('error', (e) => { this.error = e; });
    this.socket.on('message', (data, binary) => {
      const text = String(data);
      const cut = text.indexOf('=');
      const message = { name: text.slice(0, cut), body: JSON.parse(text.slice(cut + 1)), binary, at: Date.now() };
      if (message.name === 'ping' && this.answersPings) this.say('pong');
      this.inbox.push(message);
    });
    await new Promise((resolve, reject) => { this.socket.on('open', resolve); this.socket.on('error', reject); });
    return this;
  }

  raw(text) { this.socket.send(text); }
  say(name, body = {}) { this.raw(`${name}=${JSON.stringify(body)}`); }
  all(name) { return this.inbox.filter((m) => m.name === name).map((m) => m.body); }
  hear(name, good = () => true, timeoutMs = 20_000) {
    return until(`message ${name}`, () => this.all(name).find(good), Boolean, timeoutMs);
  }
  async ask(name, body = {}) {
    const rpcid = `r${++this.next}`;
    this.say(name, { rpcid, ...body });
    return this.hear(`${name}-res`, (b) => b.rpcid === rpcid);
  }
  close() { this.socket.terminate(); }
}

/// A socket whose `auth` was answered; `more` goes into `auth`.
export async function enter(server, room, user, { token, admin, more = {} } = {}) {
  const member = new Signaller(server);
  const access = await accessToken(server, room, user, token ?? (await server.token(room, user, { admin })));
  member.access = access.body.accessToken;
  member.url = JSON.parse(Buffer.from(member.access.split('.')[1], 'base64')).signalingurl2;
  await member.open();
  member.welcome = await member.ask('auth', { token: member.access, agent: 'test', sdkversion: '4.3.2', capsdp, privileges: ['subscribe', 'publish'], playerdata: `${user}'s data`, ...more });
  return member;
}
