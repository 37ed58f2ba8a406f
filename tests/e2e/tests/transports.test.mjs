// The ways in and out of the RTMP gateway besides plain RTMP: RTMPS, and FLV over HTTP, HTTPS and WebSockets. No browser.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import WebSocket from 'ws';
import { until } from '../lib/browser.mjs';
import { uniqueRoom } from '../lib/members.mjs';
import { MiniProgram, play, push } from '../lib/mini_program.mjs';
import { Server } from '../lib/server.mjs';
import { WxMember } from '../lib/wxapp.mjs';

/// Ann pushes all the time; bob is who plays.
export async function setup() {
  const server = await new Server({ workers: 2 }).start();
  const room = uniqueRoom('ways');
  const bob = await new MiniProgram(server, 'bob').join(room);
  const ann = await new MiniProgram(server, 'ann').join(room);
  const pusher = push(ann.publishUrl, { seconds: 300 });
  const { tracks } = (await bob.wait('on-add-tracks')).body;
  const query = new URL(bob.flvUrl(tracks)).search;
  return { server, room, ann, bob, pusher, tracks, query };
}

export async function teardown({ server, pusher }) {
  await pusher.stop();
  await server.dispose();
}

const kindsOf = (result) => result.streams.map((s) => s.codec_name).sort();

/// What ffmpeg decodes of FLV bytes: pictures, and its complaints.
async function decode(chunks) {
  const child = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-xerror', '-f', 'flv', '-i', 'pipe:0', '-f', 'framemd5', '-']);
  let frames = '';
  let errors = '';
  child.stdout.on('data', (d) => { frames += d; });
  child.stderr.on('data', (d) => { errors += d; });
  child.stdin.on('error', () => {});
  child.stdin.end(Buffer.concat(chunks));
  await new Promise((resolve) => child.on('close', resolve));
  const of = (stream) => frames.split('\n').filter((l) => l.startsWith(`${stream},`)).length;
  return { video: of(0), audio: of(1), errors };
}

function openSocket(url, options = {}) {
  const socket = new WebSocket(url, { rejectUnauthorized: false, ...options });
  const got = { socket, messages: [], pongs: [] };
  socket.on('message', (data, isBinary) => got.messages.push(isBinary ? data : new Error('text')));
  socket.on('pong', (data) => got.pongs.push(String(data)));
  got.closed = new Promise((resolve) => socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })));
  got.opened = new Promise((resolve, reject) => {
    socket.on('open', resolve);
    socket.on('unexpected-response', (_, response) => {
      let body = '';
      response.on('data', (d) => { body += d; }).on('end', () => resolve({ status: response.statusCode, body }));
    });
    socket.on('error', reject);
  });
  return got;
}

/// Sends bytes over TCP or TLS; `text` is what came, `ended` resolves with true at the end of the stream.
function rawClient(port, bytes, { secure = false, halfClose = false } = {}) {
  const raw = { text: '', size: 0 };
  const options = { port, host: '127.0.0.1', allowHalfOpen: true, rejectUnauthorized: false };
  raw.socket = secure ? tls.connect(options, () => raw.start()) : net.connect(options, () => raw.start());
  raw.start = () => (halfClose ? raw.socket.end(bytes) : raw.socket.write(bytes));
  raw.socket.on('data', (d) => {
    raw.size += d.length;
    if (raw.text.length < 10_000) raw.text += d.toString('latin1');
  });
  raw.socket.on('error', () => {});
  raw.closed = new Promise((resolve) => {
    raw.socket.on('close', () => resolve(true));
    raw.socket.on('end', () => resolve(true));
  });
  return raw;
}

const flvTag = (message) => ({ type: message[0], size: message.readUIntBE(1, 3), total: message.readUInt32BE(message.length - 4) });

export const tests = {
  async 'RTMPS pushes and plays; HTTPS-FLV plays the same'(t) {
    const secure = (url) => url.replace(/^rtmp:\/\/[^/]*/, `rtmps://127.0.0.1:${t.server.rtmpsPort}`);
    const cid = await new MiniProgram(t.server, 'cid').join(t.room);
    const pusher = push(secure(cid.publishUrl));
    const { tracks } = (await t.bob.wait('on-add-tracks', (b) => b.tracks[0].playerid === 'cid')).body;
    assert.equal(tracks.length, 2);
    const https = `https://127.0.0.1:${t.server.tlsPort}/rtc.flv${new URL(t.bob.flvUrl(tracks)).search}`;
    for (const result of await Promise.all([play(secure(t.bob.playUrl(tracks))), play(https)])) {
      assert.deepEqual(kindsOf(result), ['aac', 'h264'], result.output.slice(-300));
      assert.ok(result.packets.length > 40);
    }
    const refused = await play(secure(t.bob.playUrl([{ trackid: 'unknown', kind: 'video', playerid: 'cid' }])));
    assert.match(refused.output, /no such track/);
    await pusher.stop();
    await t.bob.wait('on-remove-tracks');
    cid.leave();
  },

  async 'the SDK with a wss:// server and FLV: mini programs see and hear each other over https'(t) {
    const room = uniqueRoom('wss');
    const camera = { width: 160, height: 120, fps: 8, kbps: 100 };
    const config = { server: `wss://127.0.0.1:${t.server.tlsPort}/`, transport: 'flv' };
    const ming = await new WxMember(t.server, 'ming', 2, { camera }).join(room, { config });
    const hong = await new WxMember(t.server, 'hong', 3, { camera }).join(room, { config });
    for (const [a, b] of [[ming, hong], [hong, ming]]) {
      await a.sees(b.userID, b.source, 60_000);
      await a.hears(b.userID, b.source, 60_000);
      assert.ok(a.urls.get(b.userID).startsWith(`https://127.0.0.1:${t.server.tlsPort}/rtc.flv?`), a.urls.get(b.userID));
    }
    await Promise.all([ming.close(), hong.close()]);
  },

  async 'WS-FLV and WSS-FLV: a tag in each binary message, decoded by ffmpeg'(t) {
    const ways = [`ws://127.0.0.1:${t.server.port}`, `wss://127.0.0.1:${t.server.tlsPort}`].map((origin) => openSocket(`${origin}/rtc.flv${t.query}`));
    for (const way of ways) {
      await way.opened;
      way.socket.ping('are you there?');
      await until('three seconds of tags', () => way.messages, (m) => m.length > 150);
      await until('the answer to a ping', () => way.pongs, (p) => p.includes('are you there?'));
      const [head, ...tags] = way.messages;
      assert.equal(head.toString('latin1', 0, 5), 'FLV\x01\x05');
      assert.equal(head.length, 13);
      for (const message of tags) {
        const tag = flvTag(message);
        assert.ok([8, 9, 18].includes(tag.type));
        assert.equal(tag.size + 15, message.length);
        assert.equal(tag.total, tag.size + 11);
      }
      const decoded = await decode(way.messages);
      assert.equal(decoded.errors, '');
      assert.ok(decoded.video > 10 && decoded.audio > 20, JSON.stringify(decoded));
      way.socket.close(1000);
      assert.equal((await way.closed).code, 1000);
    }
    await until('no player is left', () => t.server.metrics(), (m) => [1, 2].every((w) => m.get(`parley_rtmp_players{worker="${w}"}`) === 0));
  },

  async 'WS-FLV refuses with a status, and ends with a close frame when the session does'(t) {
    const url = `ws://127.0.0.1:${t.server.port}/rtc.flv${t.query}`;
    for (const [wrong, status, reason] of [
      [url.replace(t.bob.rtmptoken, 'wrong'), 404, /rtmptoken is unknown/],
      [url.replace(/rtmptoken=\w+&/, ''), 401, /rtmptoken is missing/],
      [url.replace(/trackid=[^&]+&/g, ''), 403, /for publishing/],
    ]) {
      const answer = await openSocket(wrong).opened;
      assert.equal(answer.status, status);
      assert.match(JSON.parse(answer.body).error, reason);
    }
    assert.equal((await openSocket(url, { protocolVersion: 8 }).opened).status, 426);

    const dan = await new MiniProgram(t.server, 'dan').join(t.room);
    const player = openSocket(url.replace(t.bob.rtmptoken, dan.rtmptoken));
    await player.opened;
    await until('media', () => player.messages.length > 5);
    dan.leave();
    const closed = await player.closed;
    assert.equal(closed.code, 1000);
    assert.notEqual(closed.reason, '');
  },

  async 'frames that the WebSocket protocol forbids end the connection, and a flood of pings costs nothing'(t) {
    const handshake = `GET /rtc.flv${t.query} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
    for (const frame of [[0x89, 0x00], [0xc2, 0x80, 1, 2, 3, 4], [0x89, 0xfe, 0, 126, 1, 2, 3, 4]]) {
      const raw = rawClient(t.server.port, handshake);
      await until('the handshake', () => /101 Switching/.test(raw.text));
      raw.socket.write(Buffer.from(frame));
      assert.ok(await raw.closed);
      raw.socket.destroy();
    }
    const flood = rawClient(t.server.port, handshake);
    await until('the handshake', () => /101 Switching/.test(flood.text));
    flood.socket.pause();  // it asks and does not read
    const ping = Buffer.concat([Buffer.from([0x89, 0x80 | 125, 0, 0, 0, 0]), Buffer.alloc(125, 'p')]);
    const before = t.server.residentKb();
    flood.socket.write(Buffer.concat(Array(200_000).fill(ping)));
    await until('all is read', () => flood.socket.writableLength, (n) => n === 0);
    const more = t.server.residentKb() - before;
    flood.socket.destroy();
    assert.ok(more < 4096, `${more} KiB more`);
  },

  async 'a player that closes its half after the request goes on to receive'(t) {
    const request = `GET /rtc.flv${t.query} HTTP/1.1\r\nHost: x\r\n\r\n`;
    for (const [port, secure] of [[t.server.port, false], [t.server.tlsPort, true]]) {
      const raw = rawClient(port, request, { secure, halfClose: true });
      await until('the answer', () => /^HTTP\/1.1 200 OK/.test(raw.text));
      const size = raw.size;
      await until('more media', () => raw.size, (n) => n > size + 50_000);
      raw.socket.destroy();
    }
    await until('both are forgotten', () => t.server.metrics(), (m) => [1, 2].every((w) => m.get(`parley_rtmp_players{worker="${w}"}`) === 0));
  },

  async 'pages of other origins may ask first: OPTIONS, HEAD and what comes with GET'(t) {
    const url = `${t.server.origin}/rtc.flv${t.query}`;
    const asked = await fetch(url, { method: 'OPTIONS', headers: { 'Access-Control-Request-Method': 'GET', 'Access-Control-Request-Headers': 'range' } });
    assert.equal(asked.status, 204);
    assert.equal(asked.headers.get('access-control-allow-origin'), '*');
    assert.match(asked.headers.get('access-control-allow-methods'), /GET/);
    assert.equal(asked.headers.get('access-control-allow-headers'), 'range');
    const head = await fetch(url, { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.headers.get('content-type'), 'video/x-flv');
    assert.equal(head.headers.get('access-control-allow-origin'), '*');
    assert.equal(head.headers.get('content-length'), null);
    assert.equal((await fetch(url.replace(t.bob.rtmptoken, 'wrong'), { method: 'HEAD' })).status, 404);
    assert.equal((await fetch(url, { method: 'POST', body: 'x' })).status, 405);
    assert.ok(!(await t.server.metrics()).get('parley_rtmp_players{worker="1"}'), 'HEAD opens nothing');
  },

  async 'a renewed certificate is used by HTTPS and RTMPS, and what plays goes on'(t) {
    const ports = [t.server.tlsPort, t.server.rtmpsPort];
    const shown = (port) => new Promise((resolve, reject) => {
      const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().fingerprint256);
        socket.destroy();
      }).on('error', reject);
    });
    const before = await Promise.all(ports.map(shown));
    assert.equal(before[0], before[1]);
    const player = openSocket(`wss://127.0.0.1:${t.server.tlsPort}/rtc.flv${t.query}`);
    await player.opened;
    const made = await new Server().start();  // another server's development certificate
    const names = ['dev-key.pem', 'dev-certificate.pem'];
    for (const name of names) fs.copyFileSync(path.join(made.dataDir, name), path.join(t.server.dataDir, name));
    await made.dispose();
    for (const port of ports) await until('the new certificate', () => shown(port), (f) => f !== before[0], 15_000);
    const count = player.messages.length;
    await until('the player goes on', () => player.messages.length > count + 20);
    player.socket.close();
  },

  async 'RTMPS handshakes that stall or are none are closed within seconds'(t) {
    const started = Date.now();
    const hello = Buffer.from('1603010200010001fc0303', 'hex');  // the beginning of a ClientHello
    const raws = [Buffer.alloc(0), hello, Buffer.from([3, 0, 0, 0]), Buffer.from('GET / HTTP/1.1\r\n\r\n')].map((bytes) => rawClient(t.server.rtmpsPort, bytes));
    const stalled = rawClient(t.server.rtmpsPort, Buffer.from([3]), { secure: true });  // TLS is there, RTMP stalls
    assert.deepEqual(await Promise.all([...raws, stalled].map((r) => r.closed)), Array(5).fill(true));
    assert.ok(Date.now() - started < 10_000);
    for (const raw of [...raws, stalled]) raw.socket.destroy();
    assert.ok(!t.pusher.ended);
  },
};
