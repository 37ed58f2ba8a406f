// Builds the SDK and puts it where the developer tools look for npm packages.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const here = path.resolve(import.meta.dirname, '..');
const sdk = path.resolve(here, '../../sdk/wxapp');
execFileSync('node', ['scripts/build.mjs', '--if-needed'], { cwd: sdk, stdio: 'inherit' });
const target = path.join(here, 'miniprogram/miniprogram_npm/parley-wxapp');
fs.rmSync(target, { recursive: true, force: true });
fs.cpSync(path.join(sdk, 'miniprogram_dist'), target, { recursive: true });
