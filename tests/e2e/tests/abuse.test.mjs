// Bad input against the real server while a call goes on: each ends as the specification says, costs bounded
// memory, and disturbs nobody.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import dgram from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
import { until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { enter, offerSdp, Signaller } from '../lib/signaller.mjs';
import { openStage } from '../lib/stage.mjs';

export async function setup() {
  const t = await openStage();
  const room = uniqueRoom('calm');
  t.a = await join(t, room, 'alice');
  t.b = await join(t, room, 'bob');
  [, t.camera] = await publishBoth(t.a, { video: { encoderConfig: { width: 320, height: 240, frameRate: 15, bitrate: 200 } } });
  await t.b.waitMedia({ videos: 1, audios: 1 });
  return t;
}

export { closeStage as teardown } from '../lib/stage.mjs';

/// The call that goes on all the time: pictures flow, nobody had to come back.
export async function afterEach(t) {
  await t.b.waitMoreFrames(t.camera, 10);
  for (const m of [t.a, t.b]) {
    const left = (await m.events('state')).filter((e) => e.state === 'RECONNECTING').length;
    const before = m.left ?? 0;
    m.left = left;
    assert.equal(left, before, `${m.userID} had to come back`);
  }
  assert.equal(t.server.child.exitCode, null, 'the server lives');
}

/// The call stays for the cases that follow a failed one.
export async function cleanUp() {}

function connect(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.received = '';
    socket.on('data', (d) => { socket.received += d.toString('latin1'); });
    socket.ended = new Promise((done) => socket.on('close', done));
    socket.on('connect', () => resolve(socket));
    socket.on('error', reject);
  });
}

/// Sends bytes and gives back all that comes until the server closes.
async function exchange(t, text, timeoutMs = 20_000) {
  const socket = await connect(t.server.port);
  socket.on('error', () => {});
  socket.write(text);
  let timer;
  const closed = await Promise.race([socket.ended.then(() => true), new Promise((r) => { timer = setTimeout(() => r(false), timeoutMs); })]);
  clearTimeout(timer);
  socket.destroy();
  return { closed, text: socket.received, answers: socket.received.split(/HTTP\/1\.1 /).slice(1).map((a) => Number(a.slice(0, 3))) };
}

export const tests = {
  async 'messages that are too large'(t) {
    const room = uniqueRoom('large');
    const publish = (sdp) => ({ sdp, policy: 'preferUdp', tracks: [{ localid: 'mic-1', localmid: '2', kind: 'audio', master: true }] });
    const member = await enter(t.server, room, 'm');
    const megabyte = `${offerSdp}${'a=ssrc:1 cname:xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n'.repeat(16_000)}`.slice(0, 900_000);
    // Its tracks are there, so the rest is noise that is read and forgotten.
    assert.equal(typeof (await member.ask('pubpc', publish(megabyte))).code, 'number');
    assert.notEqual((await member.ask('pubpc', publish('y'.repeat(900_000)))).code, 0);
    const other = await enter(t.server, room, 'n');
    other.say('pubpc', { rpcid: 'x', ...publish('v=0\r\n'.repeat(400_000)) });
    assert.ok([1006, 1008, 1009].includes(await other.closed), String(other.closeCode));
    const upload = await fetch(`${t.server.origin}/whip/demo/${room}/m`, {
      method: 'POST', headers: { 'Content-Type': 'application/sdp', Authorization: `Bearer ${await t.server.token(room, 'm')}` }, body: 'v=0\r\n'.repeat(400_000),
    }).then((r) => r.status, () => 'closed');
    assert.ok([413, 'closed'].includes(upload), String(upload));
    assert.equal((await exchange(t, `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(64 * 1024)}\r\n\r\n`)).answers[0], 431);
    member.close();
  },

  async 'requests that two readers would cut differently'(t) {
    const tail = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
    for (const [what, text] of Object.entries({
      'length and chunks': `POST /v1/rtcevent HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${tail}`,
      'two lengths': `POST /v1/rtcevent HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: ${tail.length}\r\n\r\n${tail}`,
      'a list of lengths': `POST /v1/rtcevent HTTP/1.1\r\nHost: x\r\nContent-Length: 0, ${tail.length}\r\n\r\n${tail}`,
      'a signed length': `POST /v1/rtcevent HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n${tail}`,
      'space before the colon': `POST /v1/rtcevent HTTP/1.1\r\nHost: x\r\nContent-Length : ${tail.length}\r\n\r\n${tail}`,
      'an unknown coding': `POST /v1/rtcevent HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n${tail}`,
      'a chunk size that overflows': `POST /v1/rtcevent HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n${tail}`,
      'no header name': `GET / HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n${tail}`,
      'a null byte': `GET / HTTP/1.1\r\nHost: x\r\nA: b\u0000c\r\n\r\n${tail}`,
      'no request at all': `\u0016\u0003\u0001garbage\r\n\r\n${tail}`,
    })) {
      const got = await exchange(t, text);
      assert.ok(got.closed, `${what}: the connection is closed`);
      assert.ok(got.answers.length <= 1 && (got.answers[0] ?? 400) >= 400, `${what}: ${got.answers}`);
    }
    // The same bytes in order are two requests.
    assert.deepEqual((await exchange(t, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).answers, [200, 200]);
  },

  async 'requests and handshakes that never end'(t) {
    const open = [];
    for (const [port, text] of [[t.server.port, 'GET / HT'], [t.server.port, 'POST /v1/rtcevent HTTP/1.1\r\nHost: x\r\nX-Slow'], [t.server.tlsPort, '\u0016\u0003\u0001\u0002\u0000\u0001']]) {
      const socket = await connect(port);
      socket.on('error', () => {});
      socket.write(Buffer.from(text, 'latin1'));
      open.push(socket);
    }
    // The slow one dribbles: the limit is for the whole header, not for each byte.
    const dribble = setInterval(() => open[1].writable && open[1].write('y'), 500);
    await until('all are closed', () => open.filter((s) => !s.closed).length, (n) => n === 0, 60_000);
    clearInterval(dribble);
  },

  async 'thousands of idle connections cost little, and members still get in'(t) {
    const allowed = Number(execFileSync('bash', ['-c', 'ulimit -Hn'], { encoding: 'utf8' })) || 1_048_576;
    const wanted = Math.min(10_000, allowed - 1_000);
    const before = t.server.residentKb();
    const sockets = [];
    for (let i = 0; i < wanted; i += 500) sockets.push(...(await Promise.all(Array.from({ length: Math.min(500, wanted - i) }, () => connect(t.server.port)))));
    for (const s of sockets) s.on('error', () => {});
    await until('all are there', () => t.server.metrics(), (m) => m.get('parley_http_connections') >= wanted, 30_000);
    const each = (t.server.residentKb() - before) / wanted;
    const member = await enter(t.server, uniqueRoom('crowded'), 'late');
    assert.equal(member.welcome.code, 0);
    member.close();
    console.log(`  ${wanted} idle connections, ${each.toFixed(1)} KiB each`);
    assert.ok(each < 24, `${each} KiB each`);
    for (const s of sockets) s.destroy();
    await until('all are gone', () => t.server.metrics(), (m) => m.get('parley_http_connections') < 100, 30_000);
  },

  async 'idle and chattering connections at the media port'(t) {
    const sockets = await Promise.all(Array.from({ length: 200 }, () => connect(t.server.mediaPort)));
    for (const [i, s] of sockets.entries()) {
      s.on('error', () => {});
      if (i % 4 === 1) s.write(Buffer.concat([Buffer.from([0xff, 0xff]), crypto.randomBytes(3_000)]));
      if (i % 4 === 2) s.write(Buffer.concat([Buffer.from([0, 20]), crypto.randomBytes(20)]));
      if (i % 4 === 3) s.write(Buffer.from([0]));
    }
    await until('all are closed', () => sockets.filter((s) => !s.closed).length, (n) => n === 0, 60_000);
    assert.ok(sockets.every((s) => s.received === ''), 'nothing was answered');
  },

  async 'garbage datagrams are not answered'(t) {
    const socket = dgram.createSocket('udp4');
    let answers = 0;
    socket.on('message', () => { ++answers; });
    await new Promise((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const stun = (attributes) => {
      const head = Buffer.alloc(20);
      head.writeUInt16BE(1, 0);
      head.writeUInt16BE(attributes.length, 2);
      head.writeUInt32BE(0x2112a442, 4);
      crypto.randomFillSync(head, 8, 12);
      return Buffer.concat([head, attributes]);
    };
    const kinds = [
      () => crypto.randomBytes(1 + crypto.randomInt(1_400)),
      () => stun(Buffer.alloc(0)),
      () => stun(Buffer.concat([Buffer.from([0, 6, 0, 8]), Buffer.from('abcd:efg'), Buffer.from([0, 8, 0, 20]), crypto.randomBytes(20)])),
      () => Buffer.concat([Buffer.from([22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 1]), crypto.randomBytes(39)]),
      () => Buffer.concat([Buffer.from([0x80, 111, 0, 1]), crypto.randomBytes(60)]),
      () => Buffer.concat([Buffer.from([0x81, 201, 0, 7]), crypto.randomBytes(28)]),
    ];
    const count = async () => [...(await t.server.metrics())].filter(([k]) => k.startsWith('parley_media_refused_total')).reduce((n, [, v]) => n + v, 0);
    const before = await count();
    for (let round = 0; round < 40; ++round) {
      for (let i = 0; i < 50; ++i) socket.send(kinds[i % kinds.length](), t.server.mediaPort, '127.0.0.1');
      await new Promise((resolve) => setImmediate(resolve));
    }
    // Seen by the server, all of what the kernel let through; the counters say so.
    await until('counted', count, (n) => n - before > 200, 20_000);
    assert.equal(answers, 0);
    socket.close();
  },

  async 'a member that never reads is dropped, the others are not'(t) {
    const room = uniqueRoom('slow');
    const slow = await enter(t.server, room, 'slow');
    const reader = await enter(t.server, room, 'reader');
    const talkers = await Promise.all(Array.from({ length: 14 }, (_, i) => enter(t.server, room, `talker${i}`)));
    slow.socket._socket.pause();
    const text = 'x'.repeat(4_000);
    const timers = [setInterval(() => slow.socket.readyState === 1 && slow.say('pong'), 1_000)];
    let n = 0;
    for (const talker of talkers) timers.push(setInterval(() => talker.say('send-message', { msgid: String(++n), type: 'normal', text }), 60));
    try {
      await reader.hear('on-player-reconnect', (x) => x.playerid === 'slow', 60_000);
    } finally {
      timers.forEach(clearInterval);
    }
    const metrics = await t.server.metrics();
    const lost = [...metrics].filter(([k, v]) => /slow/.test(k) && v > 0);
    assert.ok(lost.length > 0, 'because it was slow');
    assert.equal((await reader.ask('set-privileges', { privileges: ['subscribe', 'publish'] })).code, 0);
    for (const m of [slow, reader, ...talkers]) m.close();
  },

  async 'ids of other rooms are unknown'(t) {
    const tracks = (await t.b.wire('on-add-tracks')).flatMap((x) => x.tracks);
    const [{ pcid }] = await t.a.wire('pubpc-res');
    const spy = await enter(t.server, uniqueRoom('spy'), 'spy', { admin: true });
    const refused = await spy.ask('subpc', { tracks: tracks.map((x) => ({ trackid: x.trackid })), policy: 'preferUdp' });
    assert.notEqual(refused.code, 0);
    for (const name of ['pubpc-restart', 'subpc-restart']) assert.notEqual((await spy.ask(name, { pcid })).code, 0);
    const kick = await spy.ask('control', { command: 'kickplayer', playerid: 'bob' });
    assert.ok(kick.code !== 0 && kick.error);
    spy.say('mute-tracks', { tracks: tracks.map((x) => ({ trackid: x.trackid, muted: true })) });
    spy.say('unpub-tracks', { rpcid: 'u', tracks: tracks.map((x) => ({ trackid: x.trackid })) });
    await spy.hear('unpub-tracks-res');
    assert.deepEqual((await t.b.events('mute')).filter((e) => e.muted), []);
    assert.deepEqual(await t.b.events('user-unpublished'), []);
    spy.close();
  },

  async 'a flood of requests closes its own connection only'(t) {
    const room = uniqueRoom('flood');
    const other = await enter(t.server, room, 'other');
    const flood = await enter(t.server, room, 'flood');
    for (let i = 0; i < 2_000; ++i) flood.say('mute-tracks', { tracks: [] });
    assert.ok(![1000, 1012, 1014].includes(await flood.closed));
    const many = await Promise.all(Array.from({ length: 40 }, () => new Signaller(t.server).open()));
    for (const m of many) m.say('auth', { rpcid: '1', token: 'nonsense', capsdp: 'x'.repeat(1000) });
    for (const m of many) assert.notEqual((await m.hear('auth-res')).code, 0);
    assert.equal((await other.ask('set-privileges', { privileges: ['subscribe', 'publish'] })).code, 0);
    for (const m of [...many, other]) m.close();
  },
};
