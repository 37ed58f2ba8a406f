// Parley's own management calls: each answer is held against the contract, and each action against who is in the room.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { until } from '../lib/browser.mjs';
import { Server } from '../lib/server.mjs';
import { accessToken, enter, Signaller, capsdp } from '../lib/signaller.mjs';
import { account, makeToken } from '../lib/tokens.mjs';
import { X1 } from '../lib/x1.mjs';

const other = { accessKey: 'AK-of-another-account', secretKey: 'SK-of-another-account' };

export async function setup() {
  const server = await new Server({ config: '[log]\nlevel = "debug"' }).start();
  await server.stop();
  // There is no call that makes an account.
  execFileSync('python3', ['-c', 'import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db: db.execute("INSERT INTO access_keys (access_key, secret_key, account) VALUES (?, ?, 2)", sys.argv[2:])', path.join(server.dataDir, 'parley.db'), other.accessKey, other.secretKey]);
  await server.start();
  return { server, x1: await X1.open(server, account(server)) };
}

export async function teardown({ server }) {
  await server.dispose();
}

async function authCode(server, room, user) {
  const member = new Signaller(server);
  const access = await accessToken(server, room, user, await server.token(room, user));
  await member.open();
  const answer = await member.ask('auth', { token: access.body.accessToken, agent: 'test', sdkversion: '4.3.2', capsdp, privileges: ['subscribe', 'publish'], playerdata: '' });
  member.close();
  return answer.code;
}

function openOperations(x1) {
  return [...x1.operations.values()].filter((o) => !o.security);
}

export const tests = {
  async 'x1 answers what its contract says'({ server, x1 }) {
    const demo = { appId: 'demo', room: 'lesson', user: 'ann' };
    const app = await x1.ok('createApp', {}, { body: { title: 'second', eventCbUrl: 'https://example.org/cb', eventCbSecret: 'planted-event-secret' } });
    assert.equal((await x1.ok('listApps', {}, { query: '?limit=1' })).next, (await x1.ok('listApps')).apps[0].appId);
    await x1.ok('updateApp', app, { body: { maxUsers: 7 } });
    assert.equal((await x1.ok('getApp', app)).maxUsers, 7);
    await x1.ok('deleteApp', app);

    await x1.ok('createRoom', demo, { body: { roomName: 'lesson', maxUsers: 5 } });
    const ann = await enter(server, 'lesson', 'ann');
    const bob = await enter(server, 'lesson', 'bob');
    assert.deepEqual((await x1.ok('listRooms', demo, { query: '?prefix=less' })).rooms.map((r) => r.roomName), ['lesson']);
    const state = await x1.ok('getRoom', demo);
    assert.deepEqual(state.members.map((m) => m.userId).sort(), ['ann', 'bob']);
    assert.equal(state.maxUsers, 5);
    await x1.ok('listMembers', demo);
    assert.equal((await x1.ok('getMember', demo)).userData, "ann's data");

    await x1.ok('muteMember', demo, { body: { muted: true, locked: true } });
    assert.deepEqual((await x1.ok('getMember', demo)).lockedKinds, ['audio', 'video']);
    await x1.ok('muteRoom', demo, { body: { muted: false } });
    assert.equal((await x1.ok('sendMessage', demo, { body: { text: '<b>hi</b>', users: ['bob'] } })).told, 1);
    assert.equal((await bob.hear('on-messages')).messages[0].text, '<b>hi</b>');
    assert.equal((await x1.ok('updateMember', demo, { body: { permission: 'admin', publish: false } })).permission, 'admin');
    assert.equal((await ann.ask('pub-tracks', { sdp: '', tracks: [] })).code, 10061);
    const token = await x1.ok('createToken', demo, { body: { userId: 'cid' } });
    assert.equal((await accessToken(server, 'lesson', 'cid', token.token)).status, 200);

    await x1.ok('kickMember', demo);
    assert.equal((await ann.hear('disconnect')).code, 10006);
    await x1.ok('ban', { ...demo, user: 'bob' }, { body: { reason: 'noise', durationS: 3600 } });
    assert.equal((await bob.hear('disconnect')).code, 10006);
    assert.equal((await x1.ok('listBans', demo)).bans[0].userId, 'bob');
    assert.equal(await authCode(server, 'lesson', 'bob'), 10001);
    await x1.ok('updateRoom', demo, { body: { open: false } });
    assert.equal(await authCode(server, 'lesson', 'cid'), 10012);

    await server.stop('SIGKILL');
    await server.start();
    assert.equal(await authCode(server, 'lesson', 'bob'), 10001, 'a ban survives the server');
    assert.equal(await authCode(server, 'lesson', 'cid'), 10012, 'and so does a closed room');
    await x1.ok('updateRoom', demo, { body: { open: true } });
    await x1.ok('unban', { ...demo, user: 'bob' });
    const back = await enter(server, 'lesson', 'bob');
    await x1.ok('closeRoom', demo);
    assert.equal((await back.hear('disconnect')).code, 10005);
    const lives = await until('both lives of the room are in its history', async () => (await x1.ok('listPastRooms', demo, { query: '?room=lesson&from=0' })).rooms, (list) => list.length === 2 && list.every((r) => r.closedAt));
    assert.deepEqual(lives.map((r) => [r.joins, r.peakUsers]), [[1, 1], [2, 2]], 'newest first');

    const key = await x1.ok('createKey');
    x1.answers.pop();  // shown once, on purpose
    await x1.ok('listJobs', demo, { keys: key });
    await x1.ok('listRecordings', demo, { keys: key });
    await x1.ok('updateKey', key, { body: { disabled: true } });
    assert.equal((await x1.call('getAccount', {}, { keys: key })).status, 401);
    await x1.ok('deleteKey', key);
    await x1.ok('getAccount');
    await x1.ok('getNode');
    assert.deepEqual((await x1.ok('getQuality', demo)).members, [], 'nobody sent or received anything');
    await x1.ok('getContract', {}, { unsigned: true });
    const peaks = async () => (await x1.ok('getUsage', demo, { query: '?g=hour&by=room&room=lesson' })).rows.map((r) => r.peakUsers);
    // What was counted in the last ten seconds before the server was killed is lost.
    await until('who came back has been counted', peaks, (list) => Math.max(...list) >= 1, 30_000);
    assert.deepEqual((await x1.ok('getUsage', demo, { query: '?by=user' })).rows, [], 'nobody sent or received anything');
    assert.match(await x1.ok('getUsage', demo, { query: '?g=hour&by=room&format=csv' }), /^at,roomName,audioMinutes,.*,peakUsers\r\n.*,lesson,0,.*,[12]\r\n/s);

    assert.equal((await x1.call('replayEvents', demo, { body: { cursor: '0' } })).status, 409, 'nowhere to send to');
    const mark = (await x1.ok('listEvents', demo, { query: '?limit=1000' })).next;
    await x1.ok('updateApp', demo, { body: { eventCbUrl: 'http://10.0.0.1/refused', eventCbSecret: 'planted-event-secret' } });
    await x1.ok('createRoom', demo, { body: { roomName: 'hooked' } });
    const dead = await until('a dead letter', async () => (await x1.ok('listDeliveries', demo, { query: '?state=dead&limit=1' })).deliveries, (list) => list.length === 1);
    assert.match(dead[0].error, /not allowed/);
    assert.deepEqual((await x1.ok('listEvents', demo, { query: `?room=hooked&cursor=${mark}` })).events.map((e) => e.id), [dead[0].eventId]);
    assert.equal((await x1.ok('replayDelivery', { ...demo, delivery: dead[0].id })).id, dead[0].id);
    assert.equal((await x1.ok('replayEvents', demo, { body: { cursor: mark } })).queued, 1);
    await until('all are dead again', async () => (await x1.ok('listDeliveries', demo, { query: '?state=pending' })).deliveries, (list) => list.length === 0);
    await x1.ok('updateApp', demo, { body: { eventCbUrl: '' } });
    assert.equal((await x1.call('replayDelivery', { ...demo, delivery: dead[0].id })).status, 409);
    x1.planted = ['planted-event-secret', key.secretKey, token.token];

    // What every call has in common, and then what few have.
    for (const operation of openOperations(x1)) {
      const id = operation.operationId;
      const there = { ...demo, accessKey: x1.keys.accessKey };
      assert.equal((await x1.call(id, there, { unsigned: true })).status, 401, id);
      const wrong = { ...x1.keys, secretKey: 'wrong' };
      assert.equal((await x1.call(id, there, { keys: wrong })).status, 401, id);
      if (operation.responses[400]) {
        const bad = operation.path.includes('{room}') ? [{ ...there, room: 'a%20b' }] : operation.method === 'GET' ? [there, { query: '?limit=0&g=never' }] : [there, { raw: '[' }];
        assert.equal((await x1.call(id, ...bad)).status, 400, id);
      }
      if (operation.responses[612] && operation.path.includes('{appId}')) {
        const never = await x1.call(id, { ...there, appId: 'never' }, { keys: other });
        const theirs = await x1.call(id, there, { keys: other });
        assert.equal(theirs.status, 612, id);
        assert.deepEqual(theirs, never, 'another account sees no difference');
      }
      if (operation.responses[615]) {
        const body = id === 'sendMessage' ? { text: 'x' } : id === 'updateMember' ? {} : { muted: true };
        assert.equal((await x1.call(id, { ...there, room: 'nobody' }, { ...(operation.requestBody && { body }) })).status, 615, id);
      }
    }
    assert.equal((await x1.call('updateKey', { accessKey: 'never' }, { body: { disabled: true } })).status, 612);
    assert.equal((await x1.call('deleteKey', { accessKey: 'never' })).status, 612);
    assert.equal((await x1.call('updateKey', x1.keys, { body: { disabled: true } })).status, 409);
    assert.equal((await x1.call('deleteKey', x1.keys)).status, 409);
    assert.equal((await x1.call('getNode', {}, { keys: other })).status, 403);
    // Both need what a test does not make: sixteen keys, and ten thousand bans (see x1_test.cc).
    const elsewhere = { createKey: [409], ban: [409] };
    for (const operation of openOperations(x1)) {
      const missing = Object.keys(operation.responses).map(Number)
        .filter((s) => ![429, 503, 599].includes(s) && !(elsewhere[operation.operationId] ?? []).includes(s) && !x1.seen.get(operation.operationId)?.has(s));
      assert.deepEqual(missing, [], `${operation.operationId} was never seen with these`);
    }
  },

  async 'x1 holds against requests that no client sends'({ server }) {
    const host = new URL(server.origin).host;
    const send = (text) => new Promise((resolve) => {
      const socket = net.connect(server.port, '127.0.0.1');
      let answer = '';
      socket.on('data', (d) => { answer += d; });
      socket.on('close', () => resolve(answer));
      socket.on('error', () => resolve(answer));
      socket.end(text);
    });
    const head = `POST /x1/keys HTTP/1.1\r\nHost: ${host}\r\n`;
    const cases = {
      'length and chunks': `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x1/node HTTP/1.1\r\nHost: x\r\n\r\n`,
      'two lengths': `${head}Content-Length: 0\r\nContent-Length: 40\r\n\r\nGET /x1/node HTTP/1.1\r\nHost: x\r\n\r\n`,
      'a bad chunk': `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\nGET /x1/node HTTP/1.1\r\nHost: x\r\n\r\n`,
      'a space before the colon': `${head}Content-Length : 0\r\n\r\n`,
      'an odd coding': `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
      'a folded header': `${head}X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n`,
    };
    for (const [name, text] of Object.entries(cases)) {
      const answer = await send(text);
      assert.equal(answer.split('HTTP/1.1 ').length - 1, 1, `${name}: one answer and the end: ${answer}`);
      assert.match(answer, /^HTTP\/1\.1 (400|401|501) /, name);
    }
    for (const twice of ['Host: other.example.org', 'Authorization: Qiniu a:b', 'Content-Type: text/plain', 'X-Qiniu-Date: 20240102T030405Z\r\nX-Qiniu-Date: 20240102T030406Z']) {
      const answer = await send(`GET /x1/node HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Qiniu a:b\r\nContent-Type: application/json\r\n${twice}\r\nConnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 (400|401) /, twice);
    }
  },

  async 'x1 cuts off who guesses signatures, and shows no secret anywhere'({ server, x1 }) {
    const { keys } = x1;
    const token = makeToken(keys, { room: 'lesson', user: 'eve' });
    for (const url of [`/v3/apps/demo/rooms/lesson/auth?user=eve&token=${token}x`, `/x1/nowhere?token=${token}`, `/v3/apps/demo/rooms/lesson/auth?user=eve&token=${token}`]) {
      x1.answers.push(await (await fetch(server.origin + url)).text().then((text) => text.replace(/"accessToken":"[^"]*"/, '')));
    }
    const fail = (count) => Promise.all(Array.from({ length: count }, () => fetch(`${server.origin}/x1/account`, { headers: { Authorization: `Qiniu ${keys.accessKey}:wrong` } }).then((r) => r.text())));
    // More than the burst that one address has; afterwards ten more are forgiven each second.
    for (let i = 0; i < 1_100; i += 50) await fail(50);
    for (const operation of openOperations(x1)) {
      // Without a right signature, so that nothing is carried out when the second in between was long.
      await until(`${operation.operationId} is refused`, async () => {
        await fail(10);
        return (await x1.call(operation.operationId, {}, { unsigned: true })).status;
      }, (status) => status === 429);
    }
    const metrics = await (await fetch(`${server.origin}/metrics`)).text();
    const signing = fs.readFileSync(path.join(server.dataDir, 'signing.key'), 'utf8').trim();
    const places = { log: server.log, metrics, arguments: fs.readFileSync(`/proc/${server.child.pid}/cmdline`, 'utf8'), environment: fs.readFileSync(`/proc/${server.child.pid}/environ`, 'utf8') };
    assert.match(server.log, /"?level"?=?:?.*debug|debug/i, 'the log is at its most talkative');
    // The answer that makes a token shows it.
    places.answers = x1.answers.filter((a) => !a.includes(x1.planted[2])).join('\n');
    for (const secret of [keys.secretKey, other.secretKey, signing, token, ...x1.planted]) {
      for (const [name, text] of Object.entries(places)) {
        assert.ok(!text.includes(secret), `${name} shows a secret that begins with ${secret.slice(0, 6)}`);
      }
    }
  },
};
