// Conformance sections 7.1 and 7.2 over the wire: HTTP, tokens, framing, by hand.
import assert from 'node:assert/strict';
import { until } from '../lib/browser.mjs';
import { uniqueRoom } from '../lib/members.mjs';
import { Server } from '../lib/server.mjs';
import { accessToken, capsdp, enter, offerSdp, Signaller } from '../lib/signaller.mjs';
import { account, makeToken } from '../lib/tokens.mjs';

export async function setup() {
  return { server: await new Server({ config: '[signalling]\nauth_timeout_s = 3\npong_timeout_s = 4\ngrace_s = 4' }).start() };
}

export async function teardown({ server }) {
  await server.dispose();
}

/// The code that a join with this token ends with, wherever it is said.
async function joinCode(t, room, user, token) {
  const { status, body } = await accessToken(t.server, room, user, token);
  if (status !== 200) return status;
  const socket = await new Signaller(t.server).open();
  const { code, error } = await socket.ask('auth', { token: body.accessToken, capsdp });
  assert.equal(typeof code, 'number');
  assert.equal(error === '', code === 0, 'S26');
  socket.close();
  return code;
}

export const tests = {
  async 'S01 S02 S03 S06 tokens: changed, expired, unpadded, of somebody else'(t) {
    const keys = account(t.server);
    const token = makeToken(keys, { room: 'tokens', user: 'user1' });
    assert.equal(await joinCode(t, 'tokens', 'user1', token), 0);
    const [key, sign, access] = token.split(':');
    assert.equal(await joinCode(t, 'tokens', 'user1', `${key}:${sign.replace(/=+$/, '')}:${access}`), 0, 'S03');
    const other = (c) => (c === 'A' ? 'B' : 'A');
    assert.equal(await joinCode(t, 'tokens', 'user1', `${key}:${other(sign[0])}${sign.slice(1)}:${access}`), 10001);
    assert.equal(await joinCode(t, 'tokens', 'user1', `${key}:${sign}:${access.slice(0, -3)}${other(access.at(-3))}${access.slice(-2)}`), 10001);
    assert.equal(await joinCode(t, 'tokens', 'user1', makeToken(keys, { room: 'tokens', user: 'user1', expiresIn: -1 })), 10002);
    assert.notEqual(await joinCode(t, 'elsewhere', 'user1', token), 0, 'S06: another room');
    assert.notEqual(await joinCode(t, 'tokens', 'user2', token), 0, 'S06: another user');
    assert.notEqual(await joinCode(t, 'tokens', 'user1', makeToken(keys, { room: 'tokens', user: 'user1', app: 'nosuchapp' })), 0, 'S06: another app');
  },

  async 'S04 a plus sign in the raw query stays one'(t) {
    const keys = account(t.server);
    // A field that the server does not know makes the encoded text hold "+" where the standard alphabet has it.
    let token;
    for (let i = 0; !token?.split(':')[2].includes('+'); ++i) token = makeToken(keys, { room: 'plus', user: 'u1', note: '~'.repeat(i % 7) + '>>>???~~~' + 'x'.repeat(i) });
    const { status, body } = await accessToken(t.server, 'plus', 'u1', token);
    assert.equal(status, 200);
    const socket = await new Signaller(t.server).open();
    assert.equal((await socket.ask('auth', { token: body.accessToken, capsdp })).code, 0);
    socket.close();
  },

  async 'S05 S07 S08 the access token is what the clients can read'(t) {
    const { status, headers, body } = await accessToken(t.server, 'shape', 'u1', await t.server.token('shape', 'u1'));
    assert.equal(status, 200);
    assert.match(headers.get('content-type'), /^application\/json/);
    assert.equal(headers.get('access-control-allow-origin'), '*');
    const part = body.accessToken.split('.')[1];
    assert.match(part, /^[A-Za-z0-9+/]+={0,2}$/, 'strict standard alphabet');
    const { signalingurl2: url } = JSON.parse(Buffer.from(part, 'base64'));
    assert.match(url, /^wss?:\/\/[^?]+$/);
    const socket = new Signaller(t.server);
    socket.url = url;
    await socket.open();
    socket.close();
  },

  async 'S10 S11 S12 configuration, event reports, relay tokens'(t) {
    const config = await fetch(`${t.server.origin}/v4/sdk/config?platform=Web&appid=demo&osversion=x&device_model=y&device_name=z&user_id=u`);
    assert.equal(config.status, 200);
    assert.equal(config.headers.get('access-control-allow-origin'), '*');
    assert.equal(typeof (await config.json()).content, 'string');
    const events = `${t.server.origin}/v1/rtcevent`;
    const preflight = await fetch(events, { method: 'OPTIONS', headers: { Origin: 'https://a.example', 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type' } });
    assert.ok(preflight.ok);
    assert.equal(preflight.headers.get('access-control-allow-origin'), '*');
    assert.match(preflight.headers.get('access-control-allow-methods'), /POST/);
    assert.match(preflight.headers.get('access-control-allow-headers'), /content-type/i);
    const report = await fetch(events, { method: 'POST', headers: { 'Content-Type': 'application/x-gzip' }, body: Buffer.from('1f8b0800', 'hex') });
    assert.ok(report.ok);
    assert.equal(report.headers.get('access-control-allow-origin'), '*');
    const relay = (token) => fetch(`${t.server.origin}/v3/apps/demo/rooms/target/relay/token?user=u&token=${token}`);
    const good = await relay(await t.server.token('target', 'u'));
    assert.equal(good.status, 200);
    assert.equal(typeof (await good.json()).relayToken, 'string');
    assert.equal((await relay('a:b:c')).status, 401);
  },

  async 'S09 S22 S23 a socket that does not authenticate gets nothing and is closed'(t) {
    const idle = await new Signaller(t.server).open();
    const pushy = await new Signaller(t.server).open();
    const refused = await pushy.ask('control', { command: 'kickplayer', playerid: 'x' });
    assert.notEqual(refused.code, 0);
    for (const socket of [idle, pushy]) assert.ok(![1000, 1012, 1014].includes(await socket.closed), 'S27');
  },

  async 'S14 S15 S16 S20 S24 S25 framing, unknown messages and answers'(t) {
    const room = uniqueRoom('wire');
    const [a, b] = [await enter(t.server, room, 'a'), await enter(t.server, room, 'b')];
    assert.equal((await a.hear('on-player-in')).playerdata, "b's data");
    a.say('send-message', { msgid: 'm=1', type: 'normal', text: 'a=b={"c":"d=e"}' });
    assert.equal((await b.hear('on-messages')).messages[0].text, 'a=b={"c":"d=e"}');
    a.say('no-such-message', { x: 1 });
    assert.equal((await a.ask('no-such-request')).code, 10053);
    assert.equal((await a.ask('set-privileges', { privileges: ['subscribe', 'publish'], unknownfield: { deep: [1] } })).code, 0);
    assert.ok((await a.ask('no-such-request', { padding: 'x'.repeat(64 * 1024) })).rpcid, 'S16');
    a.say('pong');
    a.say('pong');
    await a.hear('ping');
    for (const m of [...a.inbox, ...b.inbox]) {
      assert.equal(m.binary, false);
      assert.doesNotMatch(m.name, /=/);
      if (!m.name.endsWith('-res')) assert.equal(m.body.rpcid, undefined, `${m.name} is no answer`);
    }
    const asked = a.inbox.filter((m) => m.name.endsWith('-res')).map((m) => m.body.rpcid);
    assert.equal(new Set(asked).size, asked.length, 'answered once');
    a.close();
    b.close();
  },

  async 'S17 S18 S84 pings, and a client that does not answer them'(t) {
    const room = uniqueRoom('silent');
    const watcher = await enter(t.server, room, 'watcher');
    const silent = await enter(t.server, room, 'silent');
    const answered = silent.inbox.find((m) => m.name === 'auth-res').at;
    silent.answersPings = false;
    await until('pings', () => silent.inbox.filter((m) => m.name === 'ping'), (l) => l.length >= 2, 15_000).then((pings) => {
      assert.ok(pings[0].at - answered < 4_000 && pings[1].at - pings[0].at < 5_000);
    });
    await watcher.hear('on-player-reconnect', (x) => x.playerid === 'silent');
    assert.ok(![1000, 1012, 1014].includes(await silent.closed));
    await watcher.hear('on-player-out', (x) => x.playerid === 'silent');
    watcher.close();
  },

  async 'S21 nonsense closes its own connection and no other'(t) {
    const room = uniqueRoom('nonsense');
    const other = await enter(t.server, room, 'other');
    for (const text of ['pong={', '=', 'pong', 'auth=[1]', `x=${'['.repeat(5000)}`, '\u0000={}']) {
      const socket = await enter(t.server, room, 'fool');
      socket.raw(text);
      const ended = await Promise.race([socket.closed, socket.ask('set-privileges', { privileges: ['subscribe'] }).then(() => 'lives', () => 'lives')]);
      assert.ok(ended === 'lives' || ![1000, 1012, 1014].includes(ended), `${text.slice(0, 20)}: ${ended}`);
      socket.close();
    }
    const binary = await enter(t.server, room, 'fool');
    binary.socket.send(Buffer.from('pong={}'));
    assert.ok(![1000, 1012, 1014].includes(await binary.closed));
    assert.equal((await other.ask('set-privileges', { privileges: ['subscribe', 'publish'] })).code, 0);
    other.close();
  },

  async 'S82 an unknown reconnect token is 10052 or 10004'(t) {
    const stranger = await enter(t.server, uniqueRoom('back'), 'u', { more: { reconntoken: 123456789 } });
    assert.ok([10052, 10004].includes(stranger.welcome.code), JSON.stringify(stranger.welcome));
    stranger.close();
  },

  async 'S81 S83 S85 a member comes back to what it missed, messages once'(t) {
    const room = uniqueRoom('missed');
    const watcher = await enter(t.server, room, 'watcher');
    const traveller = await enter(t.server, room, 'traveller');
    watcher.say('send-message', { msgid: '1', type: 'normal', text: 'heard' });
    const { messages: [{ msgsn }] } = await traveller.hear('on-messages');
    traveller.close();
    await watcher.hear('on-player-reconnect');
    watcher.say('send-message', { msgid: '2', type: 'normal', text: 'missed' });
    const guest = await enter(t.server, room, 'guest');
    const back = new Signaller(t.server);
    back.url = `${traveller.url}?rpcid=0123456789abcdef`;
    await back.open();
    const welcome = await back.ask('auth', { token: traveller.access, reconntoken: traveller.welcome.reconntoken, msgsn, capsdp, privileges: ['subscribe', 'publish'] });
    assert.equal(welcome.code, 0);
    assert.notEqual(welcome.reconntoken, traveller.welcome.reconntoken);
    assert.deepEqual(welcome.players.map((p) => p.playerid).filter((p) => p !== 'traveller').sort(), ['guest', 'watcher']);
    await watcher.hear('on-player-reconnect-in');
    assert.deepEqual((await back.hear('on-messages')).messages.map((m) => m.text), ['missed']);
    assert.deepEqual(watcher.all('on-player-out'), []);
    for (const m of [watcher, guest, back]) m.close();
  },

  async 'S36 S40 S46 S54 S69 S70 S71 refusals have their codes'(t) {
    const room = uniqueRoom('refused');
    const a = await enter(t.server, room, 'a');
    const b = await enter(t.server, room, 'b');
    const kick = await a.ask('control', { command: 'kickplayer', playerid: 'b' });
    assert.equal(kick.code, 10051);
    assert.ok(kick.error.length > 0);
    const noPc = await a.ask('pub-tracks', { sdp: offerSdp, tracks: [{ localid: 'mic-1', localmid: '2', kind: 'audio', master: true }] });
    assert.equal(noPc.code, 10061);
    assert.deepEqual(noPc.tracks, []);
    const noSub = await a.ask('sub-tracks', { tracks: [{ trackid: 'nosuchtrackid000' }] });
    assert.equal(noSub.code, 10062);
    assert.deepEqual(noSub.tracks, []);
    assert.notEqual((await a.ask('subpc', { tracks: [{ trackid: 'nosuchtrackid000' }], policy: 'preferUdp' })).code, 0);
    for (const name of ['pubpc-restart', 'subpc-restart']) assert.notEqual((await a.ask(name, { pcid: 'nosuchpcid000000' })).code, 0);
    a.say('mute-tracks', { tracks: [{ trackid: 'nosuchtrackid000', muted: true }] });
    a.say('mute-tracks', { tracks: [] });
    a.say('send-message', { msgid: 'end', type: 'normal', text: 'end' });
    await b.hear('on-messages');
    assert.deepEqual(b.all('mute-tracks'), [], 'nobody hears of a track that is not there');
    const full = [];
    for (let i = 0; full.at(-1)?.welcome.code !== 10011 && i < 30; ++i) full.push(await enter(t.server, room, `filler${i}`));
    assert.equal(full.at(-1).welcome.code, 10011, 'room full');
    for (const m of [a, b, ...full]) m.close();
  },

  async 'S48 S62 S78 what a publish request gets'(t) {
    const room = uniqueRoom('publish');
    const body = (policy) => ({ sdp: offerSdp, policy, tracks: [{ localid: 'mic-1', localmid: '2', kind: 'audio', master: true, kbps: 64, tag: 'mic' }] });
    const a = await enter(t.server, room, 'a');
    for (const [policy, wanted] of [['preferUdp', ['tcp', 'udp']], ['forceUdp', ['udp']], ['forceTcp', ['tcp']]]) {
      const answer = await a.ask('pubpc', body(policy));
      assert.equal(answer.code, 0);
      assert.equal(answer.dtlsParameters.role, 'client');
      assert.deepEqual([...new Set(answer.iceCandidates.map((c) => c.protocol))].sort(), wanted, policy);
      for (const c of answer.iceCandidates) {
        assert.match(c.ip, /^[0-9a-f.:]+$/);
        assert.equal(c.tcpType, c.protocol === 'tcp' ? 'passive' : undefined);
      }
      assert.deepEqual(answer.tracks.map((x) => [x.localid, x.status]), [['mic-1', true]]);
    }
    const audience = await enter(t.server, room, 'audience', { more: { privileges: ['subscribe'] } });
    assert.equal((await audience.ask('pubpc', body('preferUdp'))).code, 10051);
    a.close();
    audience.close();
  },
};
