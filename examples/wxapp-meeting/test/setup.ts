import { execFileSync } from 'node:child_process';
import path from 'node:path';

export default function setup(): void {
  execFileSync('node', ['scripts/place-sdk.mjs'], { cwd: path.resolve(import.meta.dirname, '..'), stdio: 'inherit' });
}
