// Builds miniprogram_dist: one CommonJS file, its declarations, and the ready component. `--if-needed`: only if a source is newer.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const here = path.resolve(import.meta.dirname, '..');
const out = path.join(here, 'miniprogram_dist');
const { version } = JSON.parse(fs.readFileSync(path.join(here, 'package.json'), 'utf8'));

const sources = ['src', 'component', 'scripts', 'package.json', '../core/src'].flatMap((name) => {
  const at = path.join(here, name);
  return fs.statSync(at).isDirectory() ? fs.readdirSync(at, { recursive: true }).map((file) => path.join(at, file)) : [at];
});
const builtAt = fs.existsSync(path.join(out, 'done')) ? fs.statSync(path.join(out, 'done')).mtimeMs : 0;
if (process.argv.includes('--if-needed') && sources.every((file) => fs.statSync(file).mtimeMs <= builtAt)) process.exit(0);

fs.rmSync(out, { recursive: true, force: true });
await build({
  entryPoints: [path.join(here, 'src/index.ts')],
  outfile: path.join(out, 'index.js'),
  bundle: true,
  minify: true,
  format: 'cjs',
  platform: 'neutral',
  target: 'es2018',
  charset: 'utf8',
  define: { __VERSION__: JSON.stringify(version) },
  banner: { js: '/* parley-wxapp, Apache-2.0 */' },
  logLevel: 'warning',
});
execFileSync('npx', ['tsc', '-p', 'tsconfig.types.json'], { cwd: here, stdio: 'inherit' });
fs.writeFileSync(
  path.join(out, 'index.d.ts'),
  "export * from './types/wxapp/src/index';\nexport { default } from './types/wxapp/src/index';\n",
);
fs.cpSync(path.join(here, 'component'), out, { recursive: true });
fs.writeFileSync(path.join(out, 'done'), '');
