// Real browsers with made media devices, and the pages that the tests drive.
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import * as esbuild from 'esbuild';
import { chromium } from 'playwright-core';
import puppeteer from 'puppeteer-core';

const here = path.resolve(import.meta.dirname, '..');

/// Serves the bundled test pages on loopback (a secure context, so that cameras are allowed).
export class PageServer {
  async start(host = '127.0.0.1') {
    const out = fs.mkdtempSync(path.join(os.tmpdir(), 'parley-pages-'));
    await esbuild.build({
      entryPoints: ['web4', 'web2', 'whip', 'stamped'].map((n) => path.join(here, 'page', `${n}.js`)),
      bundle: true,
      format: 'iife',
      outdir: out,
      define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
      logLevel: 'error',
    });
    this.out = out;
    this.server = http.createServer((req, res) => {
      const name = path.basename(new URL(req.url, 'http://x').pathname);
      if (name.endsWith('.js')) {
        res.setHeader('Content-Type', 'text/javascript');
        res.end(fs.readFileSync(path.join(out, name)));
        return;
      }
      res.setHeader('Content-Type', 'text/html');
      res.end(`<!doctype html><meta charset=utf-8><title>${name}</title><body><script src="/${name}.js"></script>`);
    });
    await new Promise((resolve) => this.server.listen(0, host, resolve));
    this.origin = `http://${host}:${this.server.address().port}`;
    return this;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
    fs.rmSync(this.out, { recursive: true, force: true });
  }
}

export async function launchChromium({ args = [], env } = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    env: env ?? process.env,
    args: [
      '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream', '--allow-loopback-in-peer-connection', '--autoplay-policy=no-user-gesture-required',
      '--auto-select-desktop-capture-source=Entire screen', '--disable-features=WebRtcHideLocalIpsWithMdns',
      '--ignore-certificate-errors', ...args,
    ],
  });
}

/// Firefox by WebDriver BiDi, behind the few calls that the tests use of a Chromium.
export async function launchFirefox() {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
    headless: true,
    extraPrefsFirefox: {
      'media.navigator.streams.fake': true,
      'media.navigator.permission.disabled': true,
      'media.autoplay.default': 0,
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      'media.gmp-manager.updateEnabled': false,
    },
  });
  return {
    async newContext() {
      const context = await browser.createBrowserContext();
      return { newPage: () => context.newPage(), close: () => context.close() };
    },
    close: () => browser.close(),
  };
}

/// Waits until `read()` gives a value that `good` accepts; the last value is in the error.
export async function until(what, read, good = Boolean, timeoutMs = 20_000) {
  const end = Date.now() + timeoutMs;
  let last;
  for (;;) {
    last = await read();
    if (good(last)) return last;
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms; last: ${JSON.stringify(last)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
