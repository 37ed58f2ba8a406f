// The program as an operator meets it: its commands, its errors, how it starts and ends.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { until } from '../lib/browser.mjs';
import { binary, freePort, Server } from '../lib/server.mjs';
import { accessToken, capsdp, enter, Signaller } from '../lib/signaller.mjs';

export async function setup() {
  return { folder: fs.mkdtempSync(path.join(os.tmpdir(), 'parley-serve-')) };
}

export async function teardown({ folder }) {
  fs.rmSync(folder, { recursive: true, force: true });
}

const run = (...args) => spawnSync(binary(), args, { encoding: 'utf8', timeout: 60_000 });
function write(t, name, text) {
  const file = path.join(t.folder, name);
  fs.writeFileSync(file, text);
  return file;
}
function refuses(ran, ...patterns) {
  assert.ok(ran.status !== 0 && ran.status !== null, `status ${ran.status}, signal ${ran.signal}`);
  for (const p of patterns) assert.match(ran.stderr, p);
  assert.ok(ran.stderr.trim().split('\n').length <= 3, `short: ${ran.stderr}`);
}

export const tests = {
  async 'config check names the file, the line and the setting'(t) {
    for (const [name, text, pattern] of [
      ['number.toml', '[http]\n\nport = "abc"\n', /number\.toml:3: .*http\.port/],
      ['unknown.toml', '[http]\nprot = 1\n', /unknown\.toml:2: .*http\.prot/],
      ['range.toml', '[media]\nport_base = 70000\n', /range\.toml:2: .*media\.port_base/],
      ['syntax.toml', 'a = 1\n[http\n', /syntax\.toml:2/],
    ]) {
      const file = write(t, name, text);
      refuses(run('config', 'check', '--config', file), pattern);
      refuses(run('serve', '--config', file), pattern);
    }
    refuses(run('config', 'check', '--config', path.join(t.folder, 'absent.toml')), /absent\.toml/);
    assert.equal(run('config', 'check', '--config', write(t, 'good.toml', '[http]\nport = 0\n')).status, 0);
  },

  async 'a taken port is named, for pages and for media'(t) {
    const holder = net.createServer();
    await new Promise((resolve) => holder.listen(0, resolve));
    const { port } = holder.address();
    const data = path.join(t.folder, 'data1');
    refuses(run('serve', '--data-dir', data, '--http-port', String(port), '--media-port-base', '0'), new RegExp(`${port}.*\\(setting http\\.port\\)`));
    refuses(run('serve', '--data-dir', data, '--http-port', '0', '--media-port-base', String(port), '--media-workers', '1'), new RegExp(`${port}.*\\(setting media\\.port_base\\)`));
    holder.close();
  },

  async 'a data directory that cannot be made is named'(t) {
    const file = write(t, 'not-a-folder', '');
    refuses(run('serve', '--data-dir', path.join(file, 'data'), '--http-port', '0', '--media-port-base', '0'), /not-a-folder/);
    // /proc takes no files, not even from root.
    refuses(run('serve', '--data-dir', '/proc/parley', '--http-port', '0', '--media-port-base', '0'), /\/proc\/parley/);
  },

  async 'parley token makes tokens that the server takes'(t) {
    const server = await new Server().start();
    try {
      const args = ['token', '--config', server.configFile, '--app', 'demo', '--room', 'cli', '--user', 'operator'];
      const token = run(...args, '--admin').stdout.trim();
      assert.match(token, /^[^:]+:[^:]+:[^:]+$/);
      const access = JSON.parse(Buffer.from(token.split(':')[2], 'base64'));
      assert.deepEqual([access.appId, access.roomName, access.userId, access.permission], ['demo', 'cli', 'operator', 'admin']);
      const member = await enter(server, 'cli', 'operator', { token });
      assert.equal(member.welcome.code, 0);
      member.close();
      assert.equal((await accessToken(server, 'cli', 'operator', token)).status, 200);
      refuses(run(...args.slice(0, -2)), /--user/);
      refuses(run(...args, '--expires', '-1'), /--expires/);
      refuses(run('token', '--data-dir', path.join(t.folder, 'nothing-here'), '--room', 'x', '--user', 'y'), /nothing-here/);
    } finally {
      await server.dispose();
    }
  },

  async 'keys are made once, readable by their owner only, and survive a restart'() {
    const server = await new Server().start();
    try {
      for (const name of fs.readdirSync(server.dataDir).filter((n) => n.endsWith('.json') || n.includes('key'))) {
        assert.equal(fs.statSync(path.join(server.dataDir, name)).mode & 0o077, 0, name);
      }
      const token = server.cli('token', '--config', server.configFile, '--room', 'again', '--user', 'u').trim();
      const { accessKey, secretKey } = JSON.parse(fs.readFileSync(path.join(server.dataDir, 'account.json'), 'utf8'));
      assert.ok(server.log.includes(`AccessKey  ${accessKey}`), 'told at the first start');
      assert.ok(!server.log.includes(secretKey), 'a log is kept: the secret is shown on a terminal only');
      await server.stop();
      server.log = '';
      await server.start();
      assert.ok(!server.log.includes(secretKey) && !server.log.includes('AccessKey'), 'and never again');
      const member = await enter(server, 'again', 'u', { token });
      assert.equal(member.welcome.code, 0);
      member.close();
    } finally {
      await server.dispose();
    }
  },

  async 'SIGTERM without members ends at once; a second one does not wait for anybody'() {
    const server = await new Server({ config: '[drain]\ndeadline_s = 60' }).start();
    try {
      const began = Date.now();
      await server.stop('SIGTERM');
      assert.deepEqual(await server.exited, { code: 0, signal: null });
      assert.ok(Date.now() - began < 10_000);

      await server.start();
      const member = await enter(server, 'drain', 'stubborn');
      server.child.kill('SIGTERM');
      assert.equal((await member.hear('disconnect')).code, 10052);
      await until('not ready any more', async () => (await fetch(`${server.origin}/readyz`).catch(() => ({}))).status, (s) => s === 503);
      server.child.kill('SIGTERM');
      const { code, signal } = await server.exited;
      assert.ok(signal === null && code !== 0, 'ended by hand, and says so');
      assert.match(server.log, /ended at once/);
    } finally {
      await server.dispose();
    }
  },

  async 'drain tells members, holds new ones back and closes with 1001'() {
    const server = await new Server({ config: '[drain]\ndeadline_s = 60' }).start();
    try {
      const member = await enter(server, 'drain', 'stubborn');
      const token = await server.token('drain', 'late');
      const { body } = await accessToken(server, 'drain', 'late', token);
      server.child.kill('SIGTERM');
      assert.equal((await member.hear('disconnect')).code, 10052);
      const late = new Signaller(server);
      await late.open();
      late.say('auth', { rpcid: '1', token: body.accessToken, capsdp });
      assert.equal(await member.closed, 1001, 'a member that stays is closed');
      assert.equal(await late.closed, 1001, 'one that came meanwhile looks for the next process');
      assert.deepEqual(late.inbox, [], 'a refusal would have ended its join');
      assert.deepEqual(await server.exited, { code: 0, signal: null });
    } finally {
      await server.dispose();
    }
  },

  async 'two servers on one machine do not disturb each other, workers have a port each'() {
    const server = await new Server({ workers: 2 }).start();
    try {
      const metrics = await server.metrics();
      assert.equal([...metrics.keys()].filter((k) => /^parley_media_peers\{/.test(k)).length, 2);
      // The second worker holds the next port.
      const probe = spawnSync(binary(), ['serve', '--data-dir', path.join(server.dataDir, 'second'), '--http-port', String(await freePort()), '--media-port-base', String(server.mediaPort + 1), '--media-workers', '1'], { encoding: 'utf8', timeout: 60_000 });
      assert.match(probe.stderr, /media\.port_base/);
    } finally {
      await server.dispose();
    }
  },
};
