// A call between two windows through a running server: node scripts/call_check.mjs [address] [folder for pictures]
// Ends with status 1 at the first thing that is not as it should be.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';

const origin = process.argv[2] ?? 'http://127.0.0.1:8080';
const out = path.resolve(process.argv[3] ?? path.resolve(import.meta.dirname, '../../build/shots'));
const room = `check-${process.pid}`;
const profiles = [];
const contexts = [];
const noise = [];
fs.mkdirSync(out, { recursive: true });

async function open(name, query = '', size = { width: 1280, height: 800 }) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-call-'));
  profiles.push(profile);
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    viewport: size,
    ignoreHTTPSErrors: true,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--allow-loopback-in-peer-connection',
      '--auto-select-desktop-capture-source=Entire screen', '--autoplay-policy=no-user-gesture-required',
    ],
  });
  contexts.push(context);
  const page = context.pages()[0] ?? (await context.newPage());
  page.on('pageerror', (error) => noise.push(`${name}: ${error.message}`));
  page.on('console', (m) => ['error', 'warning'].includes(m.type()) && noise.push(`${name}: ${m.text()}`));
  await page.goto(`${origin}/r/${room}${query}`);
  await page.fill('#name', name);
  await page.waitForTimeout(300);
  await page.click('button[type=submit]');
  await page.waitForSelector('.call, .end', { timeout: 20_000 });
  if (await page.$('.end')) throw new Error(`${name}: ${await page.innerText('.end h1')}`);
  return page;
}

async function until(what, read, timeoutMs = 15_000) {
  const end = Date.now() + timeoutMs;
  for (;;) {
    if (await read()) {
      console.log(`ok    ${what}`);
      return;
    }
    if (Date.now() > end) throw new Error(`not seen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

const tile = (name) => `.tile[aria-label^="${name}"]`;
/** Frames that the tile's video has shown. */
const frames = (page, name) => page.evaluate((selector) => document.querySelector(`${selector} video`)?.getVideoPlaybackQuality().totalVideoFrames ?? 0, tile(name));
const key = (page, k) => page.keyboard.press(k);

let failed = false;
let ada;
let bob;
try {
  ada = await open('Ada', '?admin=1');
  await until('Ada is told that she is alone', () => ada.$('.alone'));
  bob = await open('Bob');
  await until('Ada sees Bob', async () => (await frames(ada, 'Bob')) > 10);
  await until('Bob sees Ada', async () => (await frames(bob, 'Ada')) > 10);
  await until('Bob is heard', () => ada.$(`${tile('Bob')}.speaking`));
  await until('Ada is heard', () => bob.$(`${tile('Ada')}.speaking`));
  await bob.waitForTimeout(2500);
  await ada.screenshot({ path: path.join(out, 'real-two.png') });

  await key(bob, 'm');
  await until('Bob muted is seen', () => ada.$(`${tile('Bob')}[aria-label*="Microphone off"]`));
  await key(bob, 'm');
  await until('Bob unmuted is seen', async () => !(await ada.$(`${tile('Bob')}[aria-label*="Microphone off"]`)));
  await key(bob, 'v');
  await until('Bob camera off is seen', () => ada.$(`${tile('Bob')}[aria-label*="Camera off"]`));
  await bob.waitForTimeout(700);
  await key(bob, 'v');
  await until('Bob camera on is seen', async () => !(await ada.$(`${tile('Bob')}[aria-label*="Camera off"]`)));
  const before = await frames(ada, 'Bob');
  await until('Bob is seen again', async () => (await frames(ada, 'Bob')) !== before && (await frames(ada, 'Bob')) > 5);

  await key(ada, 'c');
  await ada.fill('#message', 'Hello <b>Bob</b>, see https://example.org/x');
  await ada.keyboard.press('Enter');
  await until('Bob has an unread message', () => bob.$('.control .badge'));
  await key(bob, 'c');
  await until('the message is text with a link', async () => (await bob.innerText('.bubble')) === 'Hello <b>Bob</b>, see https://example.org/x' && !!(await bob.$('.bubble a')));
  await bob.fill('#message', '你好，Ada');
  await bob.keyboard.press('Enter');
  await until('Ada has the answer once', async () => (await ada.$$('.bubble')).length === 2);
  await ada.screenshot({ path: path.join(out, 'real-chat.png') });
  await ada.click('.panel .icon-button');
  await bob.click('.panel .icon-button');

  await ada.click('button[aria-label="Statistics"]');
  await until('statistics show both directions', async () => (await ada.$$('.stats .row')).length >= 4);
  await until('statistics show a picture size', async () => /\d{3,4}×\d{3,4}/.test(await ada.innerText('.stats')));
  await ada.waitForTimeout(4500);
  await ada.screenshot({ path: path.join(out, 'real-stats.png') });
  await ada.click('.panel .icon-button');

  await key(bob, 's');
  await until('Bob shares his screen', async () => (await ada.$$('.tile.screen video.playing')).length === 1, 20_000);
  await ada.waitForTimeout(1500);
  await ada.screenshot({ path: path.join(out, 'real-screen.png') });
  await key(bob, 's');
  await until('the share ends', async () => (await ada.$$('.tile.screen')).length === 0);

  await contexts[1].setOffline(true);
  await bob.waitForTimeout(500);
  await contexts[1].setOffline(false);
  await until('both are still there', async () => (await frames(ada, 'Bob')) > 5 && (await frames(bob, 'Ada')) > 5);

  await key(ada, 'p');
  await until('the host may remove', () => ada.$('button[aria-label="Remove from call: Bob"]'));
  await ada.click('button[aria-label="Remove from call: Bob"]');
  await ada.click('dialog .button.danger');
  await until('Bob is told', async () => (await bob.$('.end h1')) && (await bob.innerText('.end h1')) === 'You were removed from the call');
  await until('Bob is gone', async () => !(await ada.$(tile('Bob'))));
  await ada.click('.panel .icon-button');
  await ada.click('button[aria-label="Leave"]');
  await until('Ada has left', async () => (await ada.innerText('.end h1')) === 'You have left the call');
} catch (error) {
  failed = true;
  console.log(`FAIL  ${error.message}`);
  await ada?.screenshot({ path: path.join(out, 'fail-ada.png') });
  await bob?.screenshot({ path: path.join(out, 'fail-bob.png') });
} finally {
  for (const line of new Set(noise)) console.log(`      console: ${line.slice(0, 300)}`);
  for (const context of contexts) await context.close();
  for (const profile of profiles) fs.rmSync(profile, { recursive: true, force: true });
}
process.exit(failed ? 1 : 0);
