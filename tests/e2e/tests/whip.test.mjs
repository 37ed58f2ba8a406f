// WHIP in, WHEP out, beside a qnweb-rtc member of the same room.
import assert from 'node:assert/strict';
import { until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { account, makeToken } from '../lib/tokens.mjs';
import * as werift from 'werift';
import { openStage } from '../lib/stage.mjs';

export const setup = () => openStage();
export { closeStage as teardown } from '../lib/stage.mjs';

async function open(t) {
  const context = await t.browser.newContext({ permissions: ['camera', 'microphone'] });
  const page = await context.newPage();
  await page.goto(`${t.pages.origin}/whip`);
  return page;
}

const evaluate = (page, name, ...args) => page.evaluate(([n, a]) => window.member[n](...a), [name, args]);
const bearer = (token, more = {}) => ({ Authorization: `Bearer ${token}`, ...more });
const offer = (media) => ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'a=group:BUNDLE 0', ...media, ''].join('\r\n');
const audioOffer = offer([
  'm=audio 9 UDP/TLS/RTP/SAVPF 111', 'c=IN IP4 0.0.0.0', 'a=mid:0', 'a=sendonly', 'a=rtcp-mux', 'a=ice-ufrag:abcd', 'a=ice-pwd:0123456789012345678901',
  `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`, 'a=setup:actpass', 'a=rtpmap:111 opus/48000/2', 'a=ssrc:1234 cname:x']);

/// A peer of another WebRTC implementation: views `from` by WHEP and publishes what it gets as `user` by WHIP.
async function relay(t, room, from, user) {
  const codecs = () => ({ codecs: { audio: [werift.useOPUS()], video: [werift.useH264({ parameters: 'packetization-mode=1;profile-level-id=42e01f;level-asymmetry-allowed=1' })] }, bundlePolicy: 'max-bundle' });
  const exchange = async (pc, url, token) => {
    await pc.setLocalDescription(await pc.createOffer());
    const res = await fetch(url, { method: 'POST', headers: bearer(token, { 'Content-Type': 'application/sdp' }), body: pc.localDescription.sdp });
    const body = await res.text();
    assert.equal(res.status, 201, body);
    await pc.setRemoteDescription({ type: 'answer', sdp: body });
    return new URL(res.headers.get('location'), url).href;
  };
  const viewer = new werift.RTCPeerConnection(codecs());
  const publisher = new werift.RTCPeerConnection(codecs());
  const count = { audio: 0, video: 0, pli: 0 };
  for (const kind of ['audio', 'video']) {
    const received = viewer.addTransceiver(kind, { direction: 'recvonly' });
    const track = new werift.MediaStreamTrack({ kind });
    const sending = publisher.addTransceiver(track, { direction: 'sendonly' });
    received.onTrack.subscribe((source) => {
      sending.sender.onPictureLossIndication.subscribe(() => {
        ++count.pli;
        received.receiver.sendRtcpPLI(source.ssrc);
      });
      source.onReceiveRtp.subscribe((rtp) => {
        ++count[kind];
        track.writeRtp(rtp);
      });
    });
  }
  const token = await t.server.token(room, user);
  const locations = [
    await exchange(viewer, `${t.server.origin}/whep/demo/${room}/${from}`, token),
    await exchange(publisher, `${t.server.origin}/whip/demo/${room}/${user}`, token),
  ];
  return { count, viewer, publisher, async close() {
    for (const url of locations) assert.equal((await fetch(url, { method: 'DELETE', headers: bearer(token) })).status, 200);
    await Promise.all([viewer.close(), publisher.close()]);
  } };
}

export const tests = {
  async 'RFC 9725 by hand: publish, trickle, ICE restart, delete, from another origin'(t) {
    const room = uniqueRoom('raw');
    const a = await join(t, room, 'alice');
    const page = await open(t);
    const token = await t.server.token(room, 'encoder');
    const made = await evaluate(page, 'rawPublish', `${t.server.origin}/whip/demo/${room}/encoder`, token);
    assert.equal(made.status, 201);
    assert.match(made.headers['content-type'], /^application\/sdp/);
    assert.match(made.headers.etag, /^"[^"]+"$/);
    await a.waitMedia({ videos: 1, audios: 1 });
    const { ufrag, pwd, etag } = await evaluate(page, 'rawCredentials');
    const fragment = `a=ice-ufrag:${ufrag}\r\na=ice-pwd:${pwd}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n`;
    assert.equal((await evaluate(page, 'rawPatch', fragment, etag)).status, 204, 'trickle, section 4.3.1');
    assert.equal((await evaluate(page, 'rawPatch', fragment, '"other"')).status, 412);
    assert.equal((await evaluate(page, 'rawPatch', fragment)).status, 428);
    assert.equal((await evaluate(page, 'rawPatch', 'a=nonsense\r\n', etag)).status, 400);

    const restarted = await evaluate(page, 'rawRestart');
    assert.equal(restarted.status, 200, 'ICE restart, section 4.3.2');
    assert.match(restarted.headers['content-type'], /^application\/trickle-ice-sdpfrag/);
    assert.notEqual(restarted.headers.etag, restarted.before);
    assert.equal((await evaluate(page, 'rawPatch', fragment, restarted.before)).status, 412, 'the old ICE session is gone');
    const video = Object.entries(await a.call('probe')).find(([, p]) => p.frames !== undefined)[0];
    await a.waitMoreFrames(video, 15);
    assert.equal((await evaluate(page, 'rawState')).state, 'connected');

    const other = await t.server.token(room, 'somebody');
    assert.equal((await evaluate(page, 'rawDelete', other)).status, 401, 'another user may not end it');
    assert.equal((await evaluate(page, 'rawDelete')).status, 200);
    await a.waitEvent('user-left', (e) => e.userID === 'encoder');
    assert.equal((await evaluate(page, 'rawDelete')).status, 404);
    await a.close();
    await page.context().close();
  },
  async 'RFC 9725 by hand: methods, media types, tokens and their answers'(t) {
    const room = uniqueRoom('raw');
    const url = `${t.server.origin}/whip/demo/${room}/encoder`;
    const token = await t.server.token(room, 'encoder');
    const sdp = { 'Content-Type': 'application/sdp' };
    const status = async (to, init) => (await fetch(to, init)).status;
    const options = await fetch(url, { method: 'OPTIONS', headers: { Origin: 'https://example.org', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization,content-type' } });
    assert.ok(options.status === 200 || options.status === 204);
    assert.equal(options.headers.get('accept-post'), 'application/sdp');
    assert.ok(['*', 'https://example.org'].includes(options.headers.get('access-control-allow-origin')));
    for (const name of ['authorization', 'content-type', 'if-match']) assert.ok(options.headers.get('access-control-allow-headers').toLowerCase().includes(name));
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) assert.equal(await status(url, { method, headers: bearer(token) }), 405, method);
    assert.equal((await fetch(url, { method: 'HEAD' })).status, 405);
    const missing = await fetch(url, { method: 'POST', headers: sdp, body: audioOffer });
    assert.equal(missing.status, 401);
    assert.match(missing.headers.get('www-authenticate') ?? '', /^Bearer/);
    assert.equal(await status(url, { method: 'POST', headers: bearer('a:b:c', sdp), body: audioOffer }), 401);
    assert.equal(await status(url, { method: 'POST', headers: bearer(await t.server.token(room, 'another'), sdp), body: audioOffer }), 403);
    assert.equal(await status(url, { method: 'POST', headers: bearer(makeToken(account(t.server), { room, user: 'encoder', expiresIn: -5 }), sdp), body: audioOffer }), 401);
    assert.equal(await status(url, { method: 'POST', headers: bearer(token, { 'Content-Type': 'text/plain' }), body: audioOffer }), 415);
    assert.equal(await status(url, { method: 'POST', headers: bearer(token, { ...sdp, Accept: 'text/html' }), body: audioOffer }), 406);
    assert.equal(await status(url, { method: 'POST', headers: bearer(token, sdp), body: 'no SDP' }), 400);
    assert.equal(await status(url, { method: 'POST', headers: bearer(token, sdp), body: 'x'.repeat(400_000) }), 413);
    assert.equal(await status(`${url}/nowhere`, { method: 'DELETE', headers: bearer(token) }), 404);
    assert.equal(await status(`${t.server.origin}/whep/demo/${room}/nobody`, { method: 'POST', headers: bearer(token, sdp), body: audioOffer }), 404);

    const made = await fetch(url, { method: 'POST', headers: bearer(token, sdp), body: audioOffer });
    const answer = await made.text();
    assert.equal(made.status, 201, answer);
    assert.match(answer, /a=setup:passive/);
    assert.match(answer, /a=ice-lite/);
    assert.match(answer, /a=recvonly/);
    assert.ok(!answer.includes('\n\n') && answer.endsWith('\r\n'));
    const session = new URL(made.headers.get('location'), url).href;
    assert.equal(await status(session.replace('/whip/', '/whep/'), { method: 'DELETE', headers: bearer(token) }), 404);
    for (const method of ['GET', 'PUT', 'POST']) assert.equal(await status(session, { method, headers: bearer(token) }), 405, method);
    assert.equal(await status(session, { method: 'DELETE' }), 401);
    assert.equal(await status(session, { method: 'DELETE', headers: bearer(token) }), 200);
  },
  async 'redundant audio (RED) is taken in and passed on'(t) {
    const room = uniqueRoom('red');
    const pages = [];
    const sizes = [];
    for (const red of [true, false]) {
      const a = await join(t, `${room}-${red}`, 'alice');
      pages.push(await open(t));
      const made = await evaluate(pages.at(-1), 'rawPublish', `${t.server.origin}/whip/demo/${room}-${red}/encoder`, await t.server.token(`${room}-${red}`, 'encoder'), { red });
      assert.equal(made.status, 201);
      await a.waitMedia({ audios: 1 });
      const audio = async () => (await a.stats({ type: 'inbound-rtp', kind: 'audio' }))[0];
      const { bytesReceived, packetsReceived } = await until('three seconds of audio', audio, (s) => s.packetsReceived > 150);
      sizes.push(bytesReceived / packetsReceived);
      await a.close();
    }
    // No statistic says RED; but each packet carries the one before it once more.
    assert.ok(sizes[0] > 1.4 * sizes[1], `bytes a packet with and without: ${sizes}`);
    await Promise.all(pages.map((p) => p.context().close()));
  },
  async 'another WebRTC implementation views by WHEP and publishes by WHIP'(t) {
    const room = uniqueRoom('foreign');
    const a = await join(t, room, 'alice');
    await publishBoth(a);
    const b = await join(t, room, 'bob', { join: {} });
    const middle = await relay(t, room, 'alice', 'relay');
    // Bob sees Alice herself, and what came through the relay and two more passes of the server.
    await b.waitMedia({ videos: 2, audios: 2, timeoutMs: 40_000 });
    assert.ok(middle.count.audio > 0 && middle.count.video > 0 && middle.count.pli > 0, JSON.stringify(middle.count));
    await middle.close();
    await b.waitEvent('user-left', (e) => e.userID === 'relay');
    await Promise.all([a.close(), b.close()]);
  },
  async 'a WHIP encoder is a member that others see and hear'(t) {
    const room = uniqueRoom('whip');
    const a = await join(t, room, 'alice');
    const page = await open(t);
    const token = await t.server.token(room, 'encoder');
    await page.evaluate(([url, tok]) => window.member.publish(url, tok), [`${t.server.origin}/whip/demo/${room}/encoder`, token]);
    await a.waitMedia({ videos: 1, audios: 1 });
    await page.evaluate(() => window.member.stopPublishing());
    await a.waitEvent('user-left', (e) => e.userID === 'encoder');
    await a.close();
    await page.context().close();
  },
  async 'a WHEP player sees and hears a member'(t) {
    const room = uniqueRoom('whep');
    const a = await join(t, room, 'alice');
    await publishBoth(a);
    const page = await open(t);
    const token = await t.server.token(room, 'viewer');
    await page.evaluate(([url, tok]) => window.member.view(url, tok), [`${t.server.origin}/whep/demo/${room}/alice`, token]);
    await until('the player plays', () => page.evaluate(() => window.member.probe()), (p) => p.video?.frames > 10 && p.audio?.peak > 0.005);
    assert.deepEqual(await a.events('user-joined'), [], 'a viewer is not shown to members');
    await page.evaluate(() => window.member.stopViewing());
    await a.close();
    await page.context().close();
  },
};
