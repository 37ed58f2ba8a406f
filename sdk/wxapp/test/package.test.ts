import fs from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';

const dist = path.resolve(import.meta.dirname, '../miniprogram_dist');
const code = fs.readFileSync(path.join(dist, 'index.js'), 'utf8');

it('is at most 40 KB and needs nothing of Node', () => {
  expect(Buffer.byteLength(code)).toBeLessThanOrEqual(40_000);
  expect(code).not.toMatch(/\brequire\(|\bprocess\.|\bBuffer\b|\bwindow\b|\bdocument\b|\batob\b|\bTextDecoder\b/);
});

it('has declarations without names of this repository’s packages', () => {
  const types = fs.readFileSync(path.join(dist, 'types/wxapp/src/index.d.ts'), 'utf8') + fs.readFileSync(path.join(dist, 'types/wxapp/src/client.d.ts'), 'utf8');
  expect(types).not.toContain('@parley');
  expect(types).not.toMatch(/: any\b/);
  expect(types).toContain('class QNRTCClient');
});

it('says to the developer tools where it is', () => {
  const about = JSON.parse(fs.readFileSync(path.join(dist, '../package.json'), 'utf8'));
  expect([about.miniprogram, about.main, about.types]).toEqual(['miniprogram_dist', 'miniprogram_dist/index.js', 'miniprogram_dist/index.d.ts']);
  for (const file of ['index.js', 'index.json', 'index.wxml', 'index.wxss']) expect(fs.existsSync(path.join(dist, 'parley-call', file))).toBe(true);
});
