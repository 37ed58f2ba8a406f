// Pictures of the pages, to be looked at: node scripts/screenshots.mjs [part of a name]
// Starts the development server with made-up people; writes PNG files to build/shots.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';

const here = path.resolve(import.meta.dirname, '..');
const out = path.resolve(here, '../build/shots');
const wanted = process.argv[2] ?? '';
fs.mkdirSync(out, { recursive: true });

const desktop = { width: 1440, height: 900 };
const phone = { width: 390, height: 844 };

const shots = [];
const add = (name, url, options = {}) => shots.push({ name, url, size: desktop, theme: 'light', language: 'en', ...options });

add('lobby', '/', { name: 'lobby', fill: 'Mei Tanaka' });
add('lobby-dark-zh', '/', { theme: 'dark', language: 'zh', fill: '林小雨' });
add('lobby-invited', '/r/morning-sync', { fill: 'Mei Tanaka' });
add('lobby-phone', '/r/morning-sync', { size: phone, full: true, fill: 'Mei' });
add('lobby-phone-dark-zh', '/', { size: phone, full: true, theme: 'dark', language: 'zh' });
add('lobby-errors', '/', { submit: true, deny: true });
for (const n of [1, 2, 4, 7, 12]) {
  add(`call-${n}`, `/r/x?mock=${n}`);
  add(`call-${n}-phone`, `/r/x?mock=${n}`, { size: phone, theme: n % 2 ? 'dark' : 'light' });
}
add('call-12-dark', '/r/x?mock=12', { theme: 'dark' });
add('call-chat', '/r/x?mock=5', { press: 'c' });
add('call-chat-phone-zh', '/r/x?mock=4', { press: 'c', size: phone, language: 'zh' });
add('call-members-dark-zh', '/r/x?mock=7', { press: 'p', theme: 'dark', language: 'zh' });
add('call-members-phone', '/r/x?mock=7', { press: 'p', size: phone });
add('call-stats', '/r/x?mock=4', { click: 'Statistics' });
add('call-settings-dark', '/r/x?mock=4', { click: 'Settings', theme: 'dark' });
add('call-invite', '/r/x?mock=4', { click: 'Invite' });
add('call-more-phone', '/r/x?mock=4', { click: 'More', size: phone, theme: 'dark' });
add('call-speaker', '/r/x?mock=7', { press: 'g' });
add('call-speaker-12-dark', '/r/x?mock=12', { press: 'g', theme: 'dark' });
add('call-speaker-phone', '/r/x?mock=7', { press: 'g', size: phone });
add('call-screen', '/r/x?mock=6&screen=1');
add('call-screen-phone', '/r/x?mock=6&screen=1', { size: phone, theme: 'dark' });
add('call-landscape-phone', '/r/x?mock=4', { size: { width: 844, height: 390 } });
add('call-reconnecting', '/r/x?mock=4&phase=reconnecting');
add('call-rejoining-zh-dark', '/r/x?mock=4&phase=rejoining', { language: 'zh', theme: 'dark' });
add('end-kicked', '/r/x?mock=2&end=kicked');
add('end-full-zh-dark', '/r/x?mock=2&end=roomFull', { language: 'zh', theme: 'dark' });
add('end-left-phone', '/r/x?mock=2&end=left', { size: phone });

const server = await createServer({ root: here, server: { port: 0 }, logLevel: 'error' });
await server.listen();
const origin = `http://127.0.0.1:${server.httpServer.address().port}`;

const common = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--use-fake-device-for-media-stream', '--autoplay-policy=no-user-gesture-required',
];

async function run(list, args) {
  if (list.length === 0) return;
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-shots-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: [...common, ...args],
  });
  try {
    for (const shot of list) {
      const page = await context.newPage();
      page.on('pageerror', (error) => console.log(`${shot.name}: ${error.message}`));
      page.on('console', (m) => m.type() === 'error' && console.log(`${shot.name}: ${m.text()}`));
      await page.setViewportSize(shot.size);
      await page.addInitScript(({ theme, language }) => {
        localStorage.setItem('parley.theme', theme);
        localStorage.setItem('parley.language', language);
        localStorage.removeItem('parley.settings');
      }, shot);
      await page.goto(origin + shot.url);
      await page.waitForSelector('.tile video.playing, .end h1, .setup video.playing, .problem', { timeout: 20_000 });
      await page.waitForTimeout(500);
      if (shot.fill) await page.fill('#name', shot.fill);
      if (shot.submit) await page.click('button[type=submit]');
      if (shot.press) await page.keyboard.press(shot.press);
      if (shot.click) await page.locator(`button[aria-label="${shot.click}"]:visible`).first().click();
      await page.waitForTimeout(600);
      await page.screenshot({ path: path.join(out, `${shot.name}.png`), fullPage: !!shot.full });
      await page.close();
    }
  } finally {
    await context.close();
    fs.rmSync(profile, { recursive: true, force: true });
  }
}

const chosen = shots.filter((s) => s.name.includes(wanted));
await run(chosen.filter((s) => !s.deny), ['--use-fake-ui-for-media-stream']);
await run(chosen.filter((s) => s.deny), ['--deny-permission-prompts']);
await server.close();
console.log(`${chosen.length} pictures in ${path.relative(process.cwd(), out)}`);
