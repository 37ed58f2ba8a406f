// `parley bench` as many members at once.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { binary } from './server.mjs';

/// Its report and exit code. `secret`: another than the server's account has.
export async function population(server, args, secret) {
  const account = JSON.parse(fs.readFileSync(path.join(server.dataDir, 'account.json'), 'utf8'));
  const child = spawn(
    binary(),
    ['bench', '--url', server.origin, '--json', '--quiet', '--pid', String(server.child.pid), ...args],
    { env: { ...process.env, PARLEY_ACCESS_KEY: account.accessKey, PARLEY_SECRET_KEY: secret ?? account.secretKey }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let text = '';
  child.stdout.on('data', (data) => { text += data; });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (!text) throw new Error(`parley bench ended with ${code} and no report`);
  return { code, report: JSON.parse(text) };
}
