// Room tokens made here (protocol section 1.1), for what the server's own token service would never give.
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

export function account(server) {
  const text = fs.readFileSync(path.join(server.dataDir, 'account.json'), 'utf8');
  const all = JSON.parse(text);
  return { accessKey: all.access_key ?? all.accessKey, secretKey: all.secret_key ?? all.secretKey };
}

/// `access` is whatever shall be signed; fields that are missing get good values.
export function makeToken({ accessKey, secretKey }, { room, user, app = 'demo', expiresIn = 3600, admin = false, ...more }) {
  const access = { appId: app, roomName: room, userId: user, expireAt: Math.floor(Date.now() / 1000) + expiresIn, permission: admin ? 'admin' : 'user', ...more };
  const encoded = Buffer.from(JSON.stringify(access)).toString('base64');
  const sign = crypto.createHmac('sha1', secretKey).update(encoded).digest('base64').replaceAll('+', '-').replaceAll('/', '_');
  return `${accessKey}:${sign}:${encoded}`;
}
