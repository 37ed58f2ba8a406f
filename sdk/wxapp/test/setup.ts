// The tests use what users get: the built package.
import { execFileSync } from 'node:child_process';
import path from 'node:path';

export default function setup(): void {
  execFileSync('node', ['scripts/build.mjs', '--if-needed'], { cwd: path.resolve(import.meta.dirname, '..'), stdio: 'inherit' });
}
