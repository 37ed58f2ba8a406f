// The command line of the real program against a real server.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { binary, Server } from '../lib/server.mjs';

export async function setup() {
  const server = new Server();
  await server.start();
  return { server };
}

export async function teardown({ server }) {
  await server.stop();
}

/// Beside the server: its settings file says where it is, its data directory has the key.
function parley({ server }, args, env = {}) {
  const ran = spawnSync(binary(), [...args, '--config', server.configFile], {
    encoding: 'utf8', timeout: 30_000, env: { PATH: process.env.PATH, ...env },
  });
  return { code: ran.status, out: ran.stdout, err: ran.stderr };
}

export const tests = {
  'an operator manages a server from its machine'(t) {
    const made = parley(t, ['app', 'create', '--title', '会议', '--json']);
    assert.equal(made.code, 0, made.err);
    const { appId } = JSON.parse(made.out);
    assert.match(parley(t, ['app', 'list']).out, new RegExp(`^${appId} +会议 `, 'm'));
    assert.equal(parley(t, ['room', 'create', 'r1', '--app', appId, '--no-enter-ttl', '60']).code, 0);
    assert.match(parley(t, ['room', 'list', '--empty'], { PARLEY_APP: appId }).out, /^r1 +0 /m);
    assert.equal(parley(t, ['room', 'close', 'r1', '--app', appId]).out, 'done\n');
    const gone = parley(t, ['room', 'show', 'r1', '--app', appId]);
    assert.equal(gone.code, 5);
    assert.match(gone.err, /^parley: room not found \(612\)/);
  },

  'keys come from the environment or a file, TLS is verified'(t) {
    const keys = JSON.parse(fs.readFileSync(path.join(t.server.dataDir, 'account.json'), 'utf8'));
    const env = { PARLEY_ACCESS_KEY: keys.accessKey, PARLEY_SECRET_KEY: keys.secretKey };
    const secure = ['app', 'list', '--server', `https://localhost:${t.server.tlsPort}`];
    assert.equal(parley(t, secure, env).code, 3, 'the certificate is signed by itself');
    assert.equal(parley(t, [...secure, '--ca-file', path.join(t.server.dataDir, 'dev-certificate.pem')], env).code, 0);
    assert.equal(parley(t, ['app', 'list'], { ...env, PARLEY_SECRET_KEY: 'wrong' }).code, 4);
    const refused = parley(t, ['app', 'list', '--secret-key', keys.secretKey]);
    assert.equal(refused.code, 2);
    assert.ok(!refused.err.includes(keys.secretKey));
  },

  'a backup of a running server is one that it can start with'(t) {
    const copy = path.join(t.server.dataDir, 'copy.db');
    assert.equal(parley(t, ['store', 'backup', copy]).code, 0);
    assert.equal(parley(t, ['store', 'check', copy]).out, `${copy}: ok\n`);
    assert.equal(parley(t, ['store', 'check']).code, 0);
  },
};
