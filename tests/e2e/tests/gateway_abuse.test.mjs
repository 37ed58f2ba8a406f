// Bad input against the real RTMP port while a mini program pushes: a status and a close within 3 s, bounded memory, and nobody else
// notices. No browser.
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import { until } from '../lib/browser.mjs';
import { uniqueRoom } from '../lib/members.mjs';
import { MiniProgram, push } from '../lib/mini_program.mjs';
import { amf, chunkHeader, raw, RawRtmp } from '../lib/rtmp_raw.mjs';
import { Server } from '../lib/server.mjs';

/// What the specification gives, and what a loaded machine may add to it.
const LIMIT_MS = 3000 + 1500;
/// Memory of each connection before and after it has proven who it is (`src/rtmp/limits.h`).
const KB_UNKNOWN = 8;
const KB_KNOWN = 8 * 1024;

export async function setup() {
  const server = await new Server({ workers: 1 }).start();
  const room = uniqueRoom('bad');
  const bob = await new MiniProgram(server, 'bob').join(room);
  const ann = await new MiniProgram(server, 'ann').join(room);
  const pusher = push(ann.publishUrl, { seconds: 600 });
  const { tracks } = (await bob.wait('on-add-tracks')).body;
  return { server, room, ann, bob, pusher, tracks };
}

export async function afterEach(t) {
  assert.ok(!t.pusher.ended, t.pusher.output);
  assert.equal(t.server.child.exitCode, null, 'the server lives');
  const fed = (m) => m.get('parley_rtmp_frames_total{worker="1",direction="in"}');
  const before = fed(await t.server.metrics());
  await until('the pusher goes on', () => t.server.metrics(), (m) => fed(m) > before + 5);
}

export async function teardown({ server, pusher }) {
  await pusher.stop();
  await server.dispose();
}

const client = (t) => new RawRtmp(t.server.rtmpPort);
/// Everybody is closed in time.
async function allClosed(clients) {
  for (const [what, one] of Object.entries(clients)) {
    const late = setTimeout(() => one.end(), LIMIT_MS + 10_000);
    assert.ok((await one.closed) < LIMIT_MS, `${what}: closed after ${one.tookMs} ms`);
    clearTimeout(late);
  }
}
const open = (m) => m.get('parley_rtmp_connections{worker="1"}');

/// What a TLS client says first.
function clientHello() {
  const said = [];
  const wire = new Duplex({ read() {}, write(bytes, _, done) { said.push(bytes); done(); } });
  tls.connect({ socket: wire, rejectUnauthorized: false }).on('error', () => {});
  return Buffer.concat(said);
}

async function publisher(t, userID) {
  const member = await new MiniProgram(t.server, userID).join(t.room);
  const rtmp = client(t).connect().publish(`?rtmptoken=${member.rtmptoken}&playerid=${userID}`);
  await until('publishing', () => rtmp.received.includes('NetStream.Publish.Start'));
  return { member, rtmp };
}

/// One picture in FLV's video tag, as H.264.
function picture(timeMs, keyFrame, size) {
  const nal = Buffer.alloc(size, timeMs & 255);
  nal[0] = keyFrame ? 0x65 : 0x41;
  const head = Buffer.from([keyFrame ? 0x17 : 0x27, 1, 0, 0, 0, 0, 0, 0, 0]);
  head.writeUInt32BE(size, 5);
  return Buffer.concat([head, nal]);
}
/// 320x240, baseline.
const AVC_CONFIG = Buffer.from('1700000000' + '0142c01effe1' + '0018' + '6742c01ed90141fb011000000300100000030320f162e4' + '010005' + '68cb83cb20', 'hex');

export const tests = {
  async 'stalls at each stage end within 3 s'(t) {
    const hello = Buffer.concat([Buffer.from([3]), Buffer.alloc(1536)]);
    const stalled = {
      'not a byte': client(t),
      'the first byte': client(t).send(hello.subarray(0, 1)),
      'half a handshake': client(t).send(hello.subarray(0, 700)),
      'no C2': client(t).send(hello),
      'no connect': client(t).handshake(),
      'half a connect': client(t).handshake().send(chunkHeader({ type: 20, size: 200 }), amf('connect', 1)),
      'no createStream': client(t).connect(),
      'no publish': client(t).connect().command(0, 'createStream', 2, null),
    };
    await allClosed(stalled);
    // Before the handshake is over RTMP has no way to say anything.
    for (const what of ['no connect', 'half a connect', 'no createStream', 'no publish']) assert.match(stalled[what].received, /NetConnection\.Connect\.(Rejected|Closed)/, what);
  },

  async 'a thousand connections that are nobody cost 8 KiB each, and others still get in'(t) {
    const { rtmpPort, rtmpsPort, port } = t.server;
    const part = (bytes) => (c) => c.send(Buffer.from(bytes, 'latin1'));
    const hello = clientHello();
    const get = (headers = '') => part(`GET /rtc.flv?rtmptoken=${'x'.repeat(900)}&trackid=1 HTTP/1.1\r\nHost: x\r\n${headers}X-Slow: `);
    const stages = {
      'RTMP, half a handshake': [rtmpPort, (c) => c.send(Buffer.concat([Buffer.from([3]), Buffer.alloc(1000)]))],
      'RTMP, half a message after connect': [rtmpPort, (c) => c.connect('x'.repeat(900)).send(chunkHeader({ type: 20, size: 2500 }), Buffer.alloc(100)), { answers: 1000 }],
      'RTMPS, half a ClientHello': [rtmpsPort, (c) => c.send(hello.subarray(0, 100))],
      // Few shake hands at a time; the others wait with what they said in the kernel.
      'RTMPS, no answer to the certificate': [rtmpsPort, (c) => c.send(hello), { answers: 64 }],
      'HTTP-FLV': [port, get(), { http: true }],
      'WS-FLV': [port, get('Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'), { http: true }],
    };
    // What an earlier stage has left to the heap of its thread counts for the later ones too.
    let before = t.server.residentKb();
    const there = (m, http) => (http ? m.get('parley_http_connections') : open(m));
    for (const [i, [what, [at, begin, { answers = 0, http = false } = {}]]] of Object.entries(stages).entries()) {
      if (what === 'HTTP-FLV') before = t.server.residentKb();
      const idle = there(await t.server.metrics(), http);
      const clients = Array.from({ length: 1000 }, () => begin(new RawRtmp(at)));
      let most = 0;
      let arrived = 0;
      const look = async () => {
        most = Math.max(most, t.server.residentKb());
        arrived = Math.max(arrived, there(await t.server.metrics(), http) - idle);
      };
      await until(`${what}: all are there`, async () => { await look(); return arrived; }, (n) => n > 900);
      await until(`${what}: answers`, async () => { await look(); return clients.filter((c) => c.size > 0).length; }, (n) => n >= answers * 0.9);
      const each = (most - before) / arrived;
      console.log(`  ${what}: ${arrived} at once, ${each.toFixed(1)} KiB each`);
      assert.ok(each < KB_UNKNOWN, `${what}: ${each} KiB each`);
      const { member, rtmp } = await publisher(t, `late-${i}`);
      rtmp.end();
      member.leave();
      if (!http) await allClosed(clients);
      for (const one of clients) one.end();
      await until('all are gone', () => t.server.metrics(), (m) => there(m, http) <= idle);
    }
  },

  async 'chunk sizes of 0 and 2^31-1, and messages of 16 MiB, promised on thousands of chunk streams'(t) {
    const zero = client(t).handshake().setChunkSize(0);
    await allClosed({ 'chunk size 0': zero });
    assert.match(zero.received, /NetConnection\.Connect\.Rejected/);
    const promise = Buffer.concat(Array.from({ length: 4000 }, (_, i) => Buffer.concat([chunkHeader({ chunkStream: 64 + i, type: 9, stream: 1, size: 0xffffff }), Buffer.alloc(128)])));
    const before = t.server.residentKb();
    await allClosed({
      'a huge message in one chunk': client(t).handshake().setChunkSize(0x7fffffff).send(chunkHeader({ type: 20, size: 0xffffff }), Buffer.alloc(4000)),
      'promises of nobody': client(t).handshake().send(promise),
      'promises after connect': client(t).connect().send(promise),
    });
    const { member, rtmp } = await publisher(t, 'mallory');
    rtmp.startedMs = Date.now();
    rtmp.send(promise);
    await allClosed({ 'promises of a publisher': rtmp });
    const other = await publisher(t, 'mallet');
    other.rtmp.startedMs = Date.now();
    other.rtmp.setChunkSize(0x7fffffff).send(chunkHeader({ type: 9, stream: 1, size: 0xffffff }), Buffer.alloc(1_000_000));
    await allClosed({ 'a picture of 16 MiB': other.rtmp });
    assert.ok(t.server.residentKb() - before < 2 * KB_KNOWN, `${t.server.residentKb() - before} KiB`);
    member.leave();
    other.member.leave();
  },

  async 'AMF that lies about depth and length'(t) {
    const deep = raw(Buffer.concat([...Array(400).fill(Buffer.from([3, 0, 1, 0x61])), Buffer.from([5])]));
    const lies = {
      'a deep object': amf('connect', 1, deep),
      'a text longer than its message': amf('connect', 1, raw([2, 0xff, 0xff, 0x61])),
      'a long text of 4 GiB': amf('connect', 1, raw([12, 0xff, 0xff, 0xff, 0xff, 0x61])),
      'an array of 4 billion': amf('connect', 1, raw([10, 0xff, 0xff, 0xff, 0xff, 5])),
      'an object that never ends': amf('connect', 1, raw([3, 0, 1, 0x61, 5, 0, 1])),
      'a reference to nothing': amf('connect', 1, raw([7, 0xff, 0xff])),
      'no command at all': amf(17, null, raw([0xee])),
    };
    const liars = Object.fromEntries(Object.entries(lies).map(([what, body]) => [what, client(t).handshake().message({ type: 20 }, body)]));
    await allClosed(liars);
    for (const [what, one] of Object.entries(liars)) assert.match(one.received, /NetConnection\.Connect\.(Rejected|Closed)/, what);
    // Metadata is the publisher's own matter: it is read or passed over, and ends nothing but itself.
    const { member, rtmp } = await publisher(t, 'eve');
    for (const body of Object.values(lies)) rtmp.message({ type: 18, stream: 1 }, Buffer.concat([amf('@setDataFrame', 'onMetaData'), body]));
    rtmp.startedMs = Date.now();
    await allClosed({ metadata: rtmp });
    member.leave();
  },

  async 'publish without tracks, play of a foreign track, and tokens that are worth nothing: a status and a close'(t) {
    const { member, rtmp } = await publisher(t, 'empty');
    rtmp.startedMs = Date.now();
    await allClosed({ 'publish without tracks': rtmp });
    assert.equal(rtmp.status, 'NetStream.Publish.BadName');

    const elsewhere = await new MiniProgram(t.server, 'dora').join(uniqueRoom('other'));
    const kicked = await new MiniProgram(t.server, 'kim').join(t.room);
    const admin = await new MiniProgram(t.server, 'chief').join(t.room, { admin: true });
    assert.equal((await admin.request('control', { command: 'kickplayer', playerid: 'kim' })).code, 0);
    await kicked.wait('disconnect');
    const [track] = t.tracks;
    const playOf = (token) => client(t).connect().play(`?rtmptoken=${token}&trackid=${track.trackid}&playerid=ann`);
    const publishOf = (token, user) => client(t).connect().publish(`?rtmptoken=${token}&playerid=${user}`);
    const cases = {
      'a track of another room': [playOf(elsewhere.rtmptoken), 'NetStream.Play.StreamNotFound'],
      'play of a kicked user': [playOf(kicked.rtmptoken), 'NetStream.Play.StreamNotFound'],
      'publish of a kicked user': [publishOf(kicked.rtmptoken, 'kim'), 'NetStream.Publish.BadName'],
      'publish as somebody else': [publishOf(t.bob.rtmptoken, 'ann'), 'NetStream.Publish.Denied'],
      'no token': [client(t).connect().publish('stream'), 'NetStream.Publish.BadName'],
    };
    await allClosed(Object.fromEntries(Object.entries(cases).map(([what, [one]]) => [what, one])));
    for (const [what, [one, status]] of Object.entries(cases)) assert.equal(one.status, status, what);
    for (const one of [member, elsewhere, admin]) one.leave();
  },

  async 'names in strange encodings are names of nobody'(t) {
    const names = {
      'half a character of UTF-8': Buffer.from('?rtmptoken=\xff\xc3&playerid=ann', 'latin1'),
      'a null byte': Buffer.from('?rtmptoken=a\0b&playerid=ann'),
      'lines': Buffer.from('?rtmptoken=a\r\nSet-Cookie: x&playerid=ann'),
      'percent signs': Buffer.from('?rtmptoken=%00%ff%zz%&playerid=%e4%b8'),
      'surrogates': Buffer.from('?rtmptoken=\xed\xa0\x80&playerid=\xed\xb0\x80', 'latin1'),
      'nothing but separators': Buffer.from('?&&==&?rtmptoken=&rtmptoken'),
      'no name': Buffer.alloc(0),
      'a thousand tracks': Buffer.from(`?rtmptoken=x${'&trackid=y'.repeat(100)}`),
    };
    const clients = Object.fromEntries(Object.entries(names).flatMap(([what, name]) => [[`publish: ${what}`, client(t).connect().publish(name)], [`play: ${what}`, client(t).connect().play(name)]]));
    clients['too long'] = client(t).connect().publish('?rtmptoken='.padEnd(2000, 'x'));
    await allClosed(clients);
    for (const [what, one] of Object.entries(clients)) {
      if (what !== 'too long') assert.match(one.status ?? '', /NetStream\.(Publish\.BadName|Publish\.Denied|Play\.StreamNotFound|Play\.Failed)/, what);
    }
    for (const name of ['%ff%00', '%0d%0aX:%20y', '\u00e9']) {
      assert.ok([401, 404].includes((await fetch(`${t.server.origin}/rtc.flv?rtmptoken=${name}&trackid=1`)).status), name);
    }
  },

  async 'publishers that fill whatever they may cost 8 MiB each at most'(t) {
    const many = await Promise.all(Array.from({ length: 6 }, (_, i) => publisher(t, `full-${i}`)));
    const before = t.server.residentKb();
    for (const { rtmp } of many) {
      rtmp.setChunkSize(0x7fffffff).message({ chunkStream: 4, type: 9, stream: 1 }, AVC_CONFIG);
      // A group of pictures as large as one that is kept, then a part of a message.
      rtmp.message({ chunkStream: 4, type: 9, stream: 1 }, picture(0, true, 2_000_000));
      for (let i = 1; i <= 10; ++i) rtmp.message({ chunkStream: 4, timeMs: i * 40, type: 9, stream: 1 }, picture(i * 40, false, 100_000));
      rtmp.send(chunkHeader({ chunkStream: 10, timeMs: 440, type: 9, stream: 1, size: 2_400_000 }), Buffer.alloc(2_000_000));
    }
    let each = 0;
    await until('all have filled theirs', () => {
      each = (t.server.residentKb() - before) / many.length;
      return each;
    }, (kb) => kb > 4 * 1024);
    await until('they have read it', () => many.every(({ rtmp }) => rtmp.socket.writableLength === 0));
    each = (t.server.residentKb() - before) / many.length;
    console.log(`  ${(each / 1024).toFixed(1)} MiB each`);
    assert.ok(each < KB_KNOWN, `${each} KiB each`);
    for (const { member, rtmp } of many) {
      assert.equal(rtmp.tookMs, undefined, 'nothing forbidden was done');
      rtmp.end();
      member.leave();
    }
  },

  async 'players that do not read cost 8 MiB each at most, and are brought forward or closed'(t) {
    const { member, rtmp } = await publisher(t, 'bulk');
    rtmp.setChunkSize(1_000_000).message({ chunkStream: 4, type: 9, stream: 1 }, AVC_CONFIG);
    const { tracks } = (await t.bob.wait('on-add-tracks', (b) => b.tracks[0].playerid === 'bulk')).body;
    const idle = t.server.residentKb();
    const url = new URL(t.bob.flvUrl(tracks));
    const get = (headers = '') => new RawRtmp(t.server.port).send(Buffer.from(`GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`));
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    const slow = [client(t).connect().play(url.search), get(), get(upgrade)];
    const quick = get();
    await until('they play', () => [quick, ...slow].every((s) => /Play\.Start|FLV/.test(s.received)));
    for (const one of slow) one.socket.pause();
    let most = 0;
    // 6 s of 50 Mb/s: more than may wait for anybody.
    const [pictures, everyMs, size] = [150, 40, 250_000];
    const startedMs = Date.now();
    for (let i = 0; i < pictures; ++i) {
      rtmp.message({ chunkStream: 4, timeMs: i * everyMs, type: 9, stream: 1 }, picture(i * everyMs, i % 25 === 0, size));
      await delay(Math.max(0, startedMs + i * everyMs - Date.now()));
      most = Math.max(most, t.server.residentKb());
    }
    assert.ok(most - idle < slow.length * KB_KNOWN, `${most - idle} KiB for ${slow.length} players`);
    await until('a player that reads has it all', () => quick.size, (n) => n > pictures * size);
    for (const one of slow) one.socket.resume();
    await until('those that read again are at the live edge', () => slow.every((one) => one.size > size && one.size < pictures * size));
    const dropped = async () => (await t.server.metrics()).get('parley_rtmp_dropped_frames_total{worker="1"}');
    await until('what was dropped is counted while they play', dropped, (n) => n > pictures / 2);
    const before = await dropped();
    for (const one of [rtmp, quick, ...slow]) one.end();
    await until('they have left', () => t.server.metrics(), (m) => m.get('parley_rtmp_players{worker="1"}') === 0);
    assert.ok((await dropped()) >= before, 'and afterwards');
    member.leave();
  },
};
