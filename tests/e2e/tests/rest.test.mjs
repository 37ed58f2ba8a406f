// App servers: the official Node SDK, unmodified, reaches Parley under the name that it knows.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as esbuild from 'esbuild';
import WebSocket from 'ws';
import { makeNetwork } from '../lib/network.mjs';
import { root, Server } from '../lib/server.mjs';
import { enter } from '../lib/signaller.mjs';

export const namespace = true;

export async function setup() {
  makeNetwork();
  const server = new Server();
  server.port = 80;
  await server.start();
  return { server };
}

export async function teardown({ server }) {
  await server.stop();
}

const accountOf = (server) => JSON.parse(fs.readFileSync(path.join(server.dataDir, 'account.json'), 'utf8'));

/// What a Node program writes where the SDK's host leads here.
function runNode(program, options) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-hosts-'));
  const hosts = path.join(folder, 'hosts');
  fs.writeFileSync(hosts, '127.0.0.1 localhost rtc.qiniuapi.com\n');
  const ran = spawnSync('unshare', ['-m', 'sh', '-c', 'mount --bind "$1" /etc/hosts && shift && exec "$@"', 'sh', hosts, process.execPath, ...program], {
    encoding: 'utf8',
    timeout: 60_000,
    ...options,
  });
  fs.rmSync(folder, { recursive: true });
  assert.equal(ran.status, 0, ran.stderr);
  return ran.stdout;
}

function sdk({ server }, calls, keys) {
  const child = path.resolve(import.meta.dirname, '../lib/qiniu_calls.mjs');
  return JSON.parse(runNode([child], { input: JSON.stringify({ ...(keys ?? accountOf(server)), calls }) }));
}

/// A mini-program client, as small as it can be: signalling only.
async function joinAsMiniProgram(server, roomtoken) {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/`);
  const texts = [];
  await new Promise((resolve, reject) => {
    socket.on('open', resolve);
    socket.on('error', reject);
  });
  const next = (name) => new Promise((resolve, reject) => {
    const look = () => {
      const at = texts.findIndex((t) => t.startsWith(`${name}=`));
      if (at >= 0) resolve(JSON.parse(texts.splice(at, 1)[0].slice(name.length + 1)));
      return at >= 0;
    };
    if (look()) return;
    const timer = setTimeout(() => reject(new Error(`no ${name}; got ${texts.join(' ')}`)), 20_000);
    socket.on('message', () => { if (look()) clearTimeout(timer); });
  });
  socket.on('message', (data) => texts.push(String(data)));
  socket.send(`auth=${JSON.stringify({ roomtoken, rpcid: 'a1', agent: 'wechat miniprogram', sdkversion: '4.0.6', playerdata: '' })}`);
  const answer = await next('auth-res');
  assert.equal(answer.code, 0, JSON.stringify(answer));
  return { next, close: () => socket.close() };
}

export const tests = {
  'R3 the Node SDK manages apps, users and rooms'(t) {
    const results = sdk(t, [
      ['app.createApp', { hub: 'myhub', title: 'demo', maxUsers: 10, noAutoKickUser: true }],
      ['app.getApp', '$0.appId'],
      ['app.updateApp', '$0.appId', { title: 'new title', mergePublishRtmp: { enable: true, fps: 30 } }],
      ['app.updateApp', '$0.appId', { mergePublishRtmp: { height: 720 } }],
      ['room.listUser', '$0.appId', 'nobody'],
      ['room.kickUser', '$0.appId', 'nobody', 'user1'],
      ['room.listActiveRooms', '$0.appId', 'meet', 0, 10],
      ['app.deleteApp', '$0.appId'],
      ['app.getApp', '$0.appId'],
      ['room.listUser', 'no-such-app', 'room'],
    ]);
    assert.ok(results[0].value, JSON.stringify(results[0]));
    assert.match(results[0].value.appId, /^[a-z][a-z0-9]{8}$/);
    assert.equal(results[1].value.maxUsers, 10);
    assert.equal(results[1].value.noAutoKickUser, true);
    assert.equal(results[2].value.title, 'new title');
    assert.equal(results[2].value.hub, 'myhub');
    assert.deepEqual(results[3].value.mergePublishRtmp, { enable: true, fps: 30, height: 720 });
    assert.deepEqual(results[4].value, { users: [] });
    assert.equal(results[5].error.code, 615);
    assert.deepEqual(results[6].value, { end: true, offset: 0, rooms: [] });
    assert.deepEqual(results[7].value, {});
    assert.equal(results[8].error.code, 612);
    assert.equal(results[8].error.message, 'app not found');
    assert.equal(results[9].error.code, 612);
  },

  async 'R3 the Node snippet of the console runs as it stands'(t) {
    const source = fs.readFileSync(path.join(root, 'web/src/console/logic/snippets.ts'), 'utf8');
    const { code } = await esbuild.transform(source, { loader: 'ts' });
    const { snippets } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
    const snippet = snippets('rtc.qiniuapi.com', 'demo', false).find((one) => one.id === 'node');
    const member = await enter(t.server, 'meeting-snippet', 'user9');
    const { accessKey, secretKey } = accountOf(t.server);
    const env = { ...process.env, PARLEY_ACCESS_KEY: accessKey, PARLEY_SECRET_KEY: secretKey };
    const [token, ...answer] = runNode(['-e', snippet.code], { cwd: path.join(root, 'tests/e2e'), env }).split('\n');
    member.close();
    assert.match(answer.join('\n'), /rooms: \[ 'meeting-snippet' \]/);
    const joined = await enter(t.server, 'meeting-001', 'user1', { token });
    assert.equal(joined.welcome.code, 0, 'its token lets in');
    joined.close();
  },

  async 'R3 users of a token by the SDK are listed and kicked'(t) {
    const [token] = sdk(t, [['room.getRoomToken', { appId: 'demo', roomName: 'sdk-room', userId: 'user1', permission: 'user' }]]);
    const member = await joinAsMiniProgram(t.server, token.value);
    const results = sdk(t, [
      ['room.listUser', 'demo', 'sdk-room'],
      ['room.listActiveRooms', 'demo', 'sdk', 0, 10],
      ['room.kickUser', 'demo', 'sdk-room', 'nobody'],
      ['room.kickUser', 'demo', 'sdk-room', 'user1'],
      ['room.listUser', 'demo', 'sdk-room'],
    ]);
    assert.deepEqual(results[0].value, { users: [{ userId: 'user1' }] });
    assert.deepEqual(results[1].value, { end: true, offset: 1, rooms: ['sdk-room'] });
    assert.equal(results[2].error.code, 612);
    assert.deepEqual(results[3].value, {});
    assert.equal((await member.next('disconnect')).code, 10006);
    assert.deepEqual(results[4].value, { users: [] });
    member.close();
  },

  'a wrong key is refused'(t) {
    const [result] = sdk(t, [['app.getApp', 'demo']], { accessKey: 'nobody', secretKey: 'nothing' });
    assert.equal(result.error.code, 401);
  },

  async 'what was answered is there after the server was killed'(t) {
    const [made] = sdk(t, [['app.createApp', { title: 'kept', maxUsers: 3 }]]);
    await t.server.stop('SIGKILL');
    await t.server.start();
    const [found] = sdk(t, [['app.getApp', made.value.appId]]);
    assert.deepEqual(found.value, made.value);
  },
};
