// Pictures of the pages, to be looked at: node scripts/screenshots.mjs [--sheets] [part of a name]
// Starts the development server with made-up people; writes PNG files to build/shots. With --sheets each state is one
// picture of both languages, both appearances, desktop and phone.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';

const here = path.resolve(import.meta.dirname, '..');
const out = path.resolve(here, '../build/shots');
const args = process.argv.slice(2);
const sheets = args.includes('--sheets');
const wanted = args.find((a) => !a.startsWith('--')) ?? '';
fs.mkdirSync(out, { recursive: true });

const desktop = { width: 1440, height: 900 };
const phone = { width: 390, height: 844 };

const shots = [];
const add = (name, url, options = {}) => shots.push({ name, url, size: desktop, theme: 'light', language: 'en', ...options });

add('lobby', '/', { fill: 'Mei Tanaka' });
add('lobby-invited', '/r/morning-sync', { fill: '林小雨' });
add('lobby-missing', '/', { submit: true });
add('lobby-denied', '/', { deny: true });
for (const n of [1, 2, 3, 4, 5, 7, 9, 12]) add(`call-${n}`, `/r/x?mock=${n}`);
add('call-landscape', '/r/x?mock=4', { size: { width: 844, height: 390 } });
add('call-speaker', '/r/x?mock=7', { press: 'g' });
add('call-speaker-12', '/r/x?mock=12', { press: 'g' });
add('call-screen', '/r/x?mock=6&screen=1');
add('call-chat', '/r/x?mock=5', { press: 'c' });
add('call-members', '/r/x?mock=7', { press: 'p' });
add('call-kick', '/r/x?mock=7', { press: 'p', click: '.kick' });
add('call-stats', '/r/x?mock=4', { open: 'stats' });
add('call-settings', '/r/x?mock=4', { open: 'settings' });
add('call-invite', '/r/x?mock=4', { open: 'invite' });
add('call-more', '/r/x?mock=4', { click: '.narrow-only' });
add('call-reconnecting', '/r/x?mock=4&phase=reconnecting');
add('call-rejoining', '/r/x?mock=4&phase=rejoining');
for (const problem of ['left', 'kicked', 'roomFull', 'tokenExpired', 'elsewhere', 'unreachable', 'noTokenService']) {
  add(`end-${problem}`, `/r/x?mock=2&end=${problem}`);
}

/** Every combination in which a state can be seen. */
function variants(shot) {
  if (!sheets) return [shot];
  const sizes = shot.size === desktop ? [desktop, phone] : [shot.size];
  return ['en', 'zh'].flatMap((language) =>
    ['light', 'dark'].flatMap((theme) =>
      sizes.map((size) => ({ ...shot, language, theme, size, file: `${shot.name}-${language}-${theme}-${size.width}` })),
    ),
  );
}

const server = await createServer({ root: here, server: { port: 0 }, logLevel: 'error' });
await server.listen();
const origin = `http://127.0.0.1:${server.httpServer.address().port}`;

const common = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--use-fake-device-for-media-stream', '--autoplay-policy=no-user-gesture-required',
];

/** A narrow window has these behind "More". */
async function openFromControls(page, icon) {
  const position = { stats: 0, settings: 1, invite: 0 }[icon];
  const scope = icon === 'invite' ? '.bar .wide-only:has(svg[data-icon="personAdd"])' : `.top-right > .icon-button >> nth=${position}`;
  const direct = page.locator(scope);
  if ((await direct.count()) && (await direct.first().isVisible())) return direct.first().click();
  await page.locator('.bar .narrow-only').click();
  await page.locator(`.more button:has(svg[data-icon="${icon === 'invite' ? 'personAdd' : icon}"])`).click();
}

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
      if (shot.open) await openFromControls(page, shot.open);
      const target = shot.click && page.locator(`${shot.click}:visible`).first();
      if (target && (await target.count())) await target.click();
      await page.waitForTimeout(600);
      await page.screenshot({ path: path.join(out, `${shot.file ?? shot.name}.png`) });
      await page.close();
    }
  } finally {
    await context.close();
    fs.rmSync(profile, { recursive: true, force: true });
  }
}

async function makeSheets(list) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-sheets-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: ['--no-sandbox', '--disable-gpu'],
  });
  try {
    const page = await context.newPage();
    for (const shot of list) {
      const files = variants(shot).map((v) => [v.size.width, path.join(out, `${v.file}.png`)]);
      const images = files.map(([width, file]) => `<img style="width:${width === phone.width ? 260 : 640}px" src="data:image/png;base64,${fs.readFileSync(file, 'base64')}">`);
      await page.setViewportSize({ width: 1860, height: 400 });
      await page.setContent(`<body style="margin:8px;display:flex;flex-wrap:wrap;gap:8px;align-items:flex-start;background:#888">${images.join('')}</body>`);
      await page.screenshot({ path: path.join(out, `sheet-${shot.name}.png`), fullPage: true });
      for (const [, file] of files) fs.rmSync(file);
    }
  } finally {
    await context.close();
    fs.rmSync(profile, { recursive: true, force: true });
  }
}

const chosen = shots.filter((s) => s.name.includes(wanted));
const all = chosen.flatMap(variants);
await run(all.filter((s) => !s.deny), ['--use-fake-ui-for-media-stream']);
await run(all.filter((s) => s.deny), ['--deny-permission-prompts']);
if (sheets) await makeSheets(chosen);
await server.close();
console.log(`${all.length} pictures in ${path.relative(process.cwd(), out)}`);
