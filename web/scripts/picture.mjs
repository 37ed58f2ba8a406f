// The picture of README: four people in a real call through a running server, each before a drawn camera.
// node scripts/picture.mjs [address]     writes docs/images/call.png and call-phone-zh.png
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { createServer } from 'vite';

const origin = process.argv[2] ?? 'http://127.0.0.1:8080';
const here = path.resolve(import.meta.dirname, '..');
const out = path.resolve(here, '../docs/images');
const room = 'monday-standup';
const people = [
  { name: 'Mei Tanaka', host: true, quiet: true },
  { name: '林小雨', quiet: true },
  { name: 'Ada Okafor' },
  { name: 'Jonas Weber', quiet: true, size: { width: 390, height: 844 }, theme: 'dark', language: 'zh' },
];
const kCamera = { width: 640, height: 360, frames: 48 };

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-picture-'));
const browsers = [];

function launch(args = []) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--allow-loopback-in-peer-connection',
      '--autoplay-policy=no-user-gesture-required', ...args,
    ],
  });
}

/** The made-up people of development, as files that Chromium takes for a camera. */
async function drawCameras() {
  const server = await createServer({ root: here, server: { port: 0, host: '127.0.0.1' }, logLevel: 'error' });
  await server.listen();
  const browser = await launch();
  browsers.push(browser);
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${server.httpServer.address().port}/`);
  for (const [i] of people.entries()) {
    const base64 = await page.evaluate(async ({ name, width, height, frames }) => {
      const { drawPortrait } = await import('/src/mock/pictures.ts');
      const { hashOf } = await import('/src/logic/names.ts');
      const canvas = Object.assign(document.createElement('canvas'), { width, height });
      const context = canvas.getContext('2d');
      const parts = [];
      for (let n = 0; n < frames; n++) {
        drawPortrait(context, n / 25, hashOf(name));
        const blob = await new Promise((done) => canvas.toBlob(done, 'image/jpeg', 0.92));
        parts.push(blob);
      }
      const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
      let text = '';
      for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
      return btoa(text);
    }, { name: people[i].name, ...kCamera });
    people[i].camera = path.join(folder, `${i}.mjpeg`);
    fs.writeFileSync(people[i].camera, Buffer.from(base64, 'base64'));
  }
  await browser.close();
  await server.close();
}

async function join({ name, host, camera, quiet = false, size = { width: 1280, height: 800 }, theme = 'light', language = 'en' }) {
  const browser = await launch([`--use-file-for-fake-video-capture=${camera}`]);
  browsers.push(browser);
  const page = await browser.newPage({ viewport: size });
  await page.addInitScript(([t, l, micOn]) => {
    localStorage.setItem('parley.theme', t);
    localStorage.setItem('parley.language', l);
    localStorage.setItem('parley.settings', JSON.stringify({ mirror: false, micOn }));
  }, [theme, language, !quiet]);
  await page.goto(`${origin}/r/${room}${host ? '?admin=1' : ''}`);
  await page.fill('#name', name);
  await page.click('button[type=submit]');
  await page.waitForSelector('.call', { timeout: 20_000 });
  return page;
}

try {
  await drawCameras();
  const pages = [];
  for (const person of people) pages.push(await join(person));
  const [host, second, , phone] = pages;
  for (const page of [host, phone]) {
    await page.waitForFunction((n) => document.querySelectorAll('.tile video.playing').length >= n, people.length, { timeout: 30_000 });
  }
  await host.keyboard.press('c');
  await second.keyboard.press('c');
  const say = async (page, text) => {
    await page.fill('#message', text);
    await page.keyboard.press('Enter');
  };
  await say(second, '早上好！');
  await host.waitForFunction(() => document.querySelectorAll('.bubble').length === 1);
  await say(host, 'Morning! The agenda is at https://example.org/agenda');
  await second.waitForFunction(() => document.querySelectorAll('.bubble').length === 2);
  await say(second, 'Thanks, I will go first.');
  await host.waitForFunction(() => document.querySelectorAll('.bubble').length === 3);
  await host.evaluate(() => document.activeElement?.blur());
  // Quality marks come with the second statistics reading; the notices of joining go.
  await host.waitForFunction(() => !document.querySelector('.notice'), undefined, { timeout: 15_000 });
  await phone.waitForFunction(() => !document.querySelector('.notice'), undefined, { timeout: 15_000 });
  fs.mkdirSync(out, { recursive: true });
  await host.screenshot({ path: path.join(out, 'call.png') });
  await phone.screenshot({ path: path.join(out, 'call-phone-zh.png') });
  for (const name of ['call.png', 'call-phone-zh.png']) console.log(`${name}: ${fs.statSync(path.join(out, name)).size} bytes`);
} finally {
  for (const browser of browsers) await browser.close();
  fs.rmSync(folder, { recursive: true, force: true });
}
