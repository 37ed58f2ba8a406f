// The pages that the server serves, as two people use them.
import assert from 'node:assert/strict';
import { launchChromium, until } from '../lib/browser.mjs';
import { uniqueRoom } from '../lib/members.mjs';
import { Server } from '../lib/server.mjs';
import { accessibilityFaults, buildPages, desktop, phone } from '../lib/web_pages.mjs';

const kBobsName = 'Bob <img src=x onerror=alert(1)>';

export async function setup() {
  buildPages();
  const server = await new Server({ config: '[app]\nmax_users = 2' }).start();
  return { server, browser: await launchChromium(), noise: [] };
}

export async function teardown({ server, browser }) {
  await browser.close();
  await server.stop();
}

async function open(t, url, { viewport = desktop, language = 'en', theme = 'light', permissions = ['camera', 'microphone'], browser = t.browser, init } = {}) {
  const context = await browser.newContext({ viewport, permissions, reducedMotion: 'reduce' });
  const page = await context.newPage();
  page.on('pageerror', (e) => t.noise.push(`${url}: ${e.message}`));
  page.on('console', (m) => m.type() === 'error' && t.noise.push(`${url}: ${m.text()}`));
  await page.addInitScript(([l, th]) => {
    localStorage.getItem('parley.language') ?? localStorage.setItem('parley.language', l);
    localStorage.getItem('parley.theme') ?? localStorage.setItem('parley.theme', th);
  }, [language, theme]);
  if (init) await page.addInitScript(init);
  await page.goto(`${t.server.origin}${url}`);
  return page;
}

async function joinFromLobby(page, name) {
  await page.fill('#name', name);
  await page.click('button[type=submit]');
  await page.waitForSelector('.call, .end', { timeout: 20_000 });
}

const close = (...pages) => Promise.all(pages.map((p) => p.context().close()));
const tile = (name) => `.tile[aria-label^="${name}"]`;
const frames = (page, name) => page.evaluate((s) => document.querySelector(`${s} video`)?.getVideoPlaybackQuality().totalVideoFrames ?? 0, tile(name));
const seen = (page, selector) => page.waitForSelector(selector, { timeout: 15_000 });
const gone = (page, selector) => page.waitForSelector(selector, { state: 'detached', timeout: 15_000 });

async function sees(page, name, count = 10) {
  const before = await frames(page, name);
  await until(`frames of ${name}`, () => frames(page, name), (n) => n >= before + count || (n < before && n >= count));
}

async function endsWith(page, title) {
  await seen(page, '.end h1');
  assert.equal(await page.innerText('.end h1'), title);
}

/** Presses Tab until the focus is back at the start; what had it, each with a visible outline. */
async function tabThrough(page, limit = 40) {
  const stops = [];
  for (let i = 0; i < limit; i++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const e = document.activeElement;
      if (!e || e === document.body) return null;
      // A switch shows its ring on the drawn part, a field by its border.
      const style = getComputedStyle(e);
      const marked = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== 'none';
      e.dataset.stop ??= String(Math.random());
      return { key: e.dataset.stop, name: e.id || e.getAttribute('aria-label') || e.textContent.trim(), marked };
    });
    // Between the last and the first stop lies the browser's own window.
    if (!stop) continue;
    if (stops.some((s) => s.key === stop.key)) break;
    stops.push(stop);
  }
  return stops;
}

export const tests = {
  async 'pages come with a policy, and the browser keeps to it'(t) {
    for (const url of ['/', '/r/some-room']) {
      const res = await fetch(t.server.origin + url);
      assert.equal(res.status, 200);
      assert.match(res.headers.get('content-security-policy'), /default-src 'self'.*script-src 'self'.*frame-ancestors 'self'/);
      assert.equal(res.headers.get('x-content-type-options'), 'nosniff');
      const script = /src="(\/assets\/[^"]+\.js)"/.exec(await res.text())[1];
      assert.match((await fetch(t.server.origin + script)).headers.get('cache-control'), /immutable/);
    }
    assert.equal((await fetch(`${t.server.origin}/no/such/page`)).status, 404);
    const own = { ...t, noise: [] };
    const page = await open(own, '/');
    const blocked = await page.evaluate(() => new Promise((resolve) => {
      document.addEventListener('securitypolicyviolation', (e) => resolve(e.effectiveDirective), { once: true });
      const script = document.createElement('script');
      script.textContent = 'window.injected = true';
      document.body.append(script);
    }));
    assert.match(blocked, /^script-src/);
    assert.equal(await page.evaluate(() => window.injected), undefined);
    await close(page);
  },

  async 'the lobby shows camera and level, says what is missing, and speaks both languages'(t) {
    const page = await open(t, '/');
    await seen(page, '.preview video.playing');
    await until('the level moves', () => page.getAttribute('.meter', 'aria-valuenow'), (v) => Number(v) > 0);
    await until('devices are listed', () => page.$$eval('#camera option', (o) => o.length), (n) => n >= 2);
    await page.click('button[type=submit]');
    assert.match(await page.innerText('#name-error'), /who you are/);
    assert.equal(await page.evaluate(() => document.activeElement.id), 'name');
    await page.fill('#name', 'Ada');
    await page.fill('#room', 'not a room!');
    await page.click('button[type=submit]');
    assert.match(await page.innerText('#room-error'), /64 letters/);
    await page.fill('#room', `${t.server.origin}/r/from-a-link`);
    await page.locator('#room').blur();
    assert.equal(await page.inputValue('#room'), 'from-a-link');

    await page.click('.top-controls button:first-child');
    assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
    assert.equal(await page.innerText('button[type=submit]'), '立即加入');
    const left = await page.evaluate(() => document.body.innerText.match(/\b(Room|Camera|Microphone|Speaker|Join|Mirror)\b/g));
    assert.equal(left, null);
    await page.reload();
    assert.equal(await page.innerText('button[type=submit]'), '立即加入');
    assert.equal(await page.inputValue('#name'), 'Ada');
    await page.click('.top-controls button:first-child');
    assert.equal(await page.innerText('button[type=submit]'), 'Join now');
    const light = await page.evaluate(() => getComputedStyle(document.body).color);
    await page.click('.top-controls button:nth-child(2)');
    assert.equal(await page.getAttribute('html', 'data-theme'), 'dark');
    await until('dark colours', () => page.evaluate(() => getComputedStyle(document.body).color), (c) => c !== light);
    await close(page);
  },

  async 'the lobby is reachable by keyboard and has names for everything'(t) {
    for (const viewport of [desktop, phone]) {
      const page = await open(t, '/r/keys', { viewport });
      await seen(page, '.preview video.playing');
      assert.deepEqual(await accessibilityFaults(page), []);
      const stops = await tabThrough(page);
      assert.deepEqual(stops.filter((s) => !s.marked).map((s) => s.name), [], 'focus is visible everywhere');
      const names = stops.map((s) => s.name);
      const order = ['name', 'room', 'Join now', 'Turn microphone off', 'Turn camera off', 'camera', 'microphone'].map((n) => names.indexOf(n));
      assert.ok(order.every((at, i) => at >= 0 && (i === 0 || at > order[i - 1])), `tab order: ${names}`);
      await close(page);
    }
  },

  async 'two people meet, write, mute, share a screen and look at numbers'(t) {
    const room = uniqueRoom('pages');
    const ada = await open(t, `/r/${room}?admin=1`);
    await joinFromLobby(ada, 'Ada');
    await seen(ada, '.alone .qr img');
    assert.match(await ada.innerText('.alone .link'), new RegExp(`/r/${room}$`));
    const bob = await open(t, `/r/${room}`, { viewport: phone, language: 'zh' });
    await joinFromLobby(bob, kBobsName);
    await Promise.all([sees(ada, 'Bob'), sees(bob, 'Ada')]);
    await Promise.all([seen(ada, `${tile('Bob')}.speaking`), seen(bob, `${tile('Ada')}.speaking`)]);
    await gone(ada, '.alone');

    // A name with markup is text wherever it is shown.
    assert.equal((await ada.innerText(`${tile('Bob')} .name`)).trim(), kBobsName);
    assert.equal(await ada.$$eval('.call img[src="x"]', (l) => l.length), 0);

    await bob.click('.bar .control:has(svg[data-icon="mic"])');
    await seen(ada, `${tile('Bob')}[aria-label*="Microphone off"]`);
    await bob.click('.bar .control:has(svg[data-icon="micOff"])');
    await gone(ada, `${tile('Bob')}[aria-label*="Microphone off"]`);
    await bob.click('.bar .control:has(svg[data-icon="camera"])');
    await seen(ada, `${tile('Bob')}[aria-label*="Camera off"]`);
    await bob.click('.bar .control:has(svg[data-icon="cameraOff"])');
    await gone(ada, `${tile('Bob')}[aria-label*="Camera off"]`);
    await sees(ada, 'Bob', 5);

    await ada.keyboard.press('c');
    const text = '<script>alert(1)</script> 你好 https://example.org/a';
    await ada.fill('#message', text);
    await ada.keyboard.press('Enter');
    await seen(bob, '.control .badge');
    await bob.click('.bar .control:has(svg[data-icon="chat"])');
    await seen(bob, '.bubble');
    assert.equal(await bob.innerText('.bubble'), text);
    assert.equal(await bob.getAttribute('.bubble a', 'href'), 'https://example.org/a');
    await bob.fill('#message', '收到');
    await bob.keyboard.press('Enter');
    await until('Ada has the answer', () => ada.$$eval('.bubble', (l) => l.map((b) => b.innerText)), (l) => l.length === 2 && l[1] === '收到');
    await bob.keyboard.press('Escape');
    await gone(bob, '.panel');
    await ada.keyboard.press('Escape');
    await gone(ada, '.panel');

    await ada.click('.top-right button:has(svg[data-icon="stats"])');
    await until('statistics of all four streams', () => ada.innerText('.stats'), (s) => /\d{3,4}×\d{3,4}/.test(s) && /H264|VP8/.test(s) && /opus/.test(s) && /[1-9]\d* kb\/s|Mb\/s/.test(s) && /UDP/.test(s));
    assert.ok((await ada.$$('.stats .row')).length >= 4);
    await until('quality marks', () => ada.$$eval('.tile .bars', (l) => l.map((b) => b.getAttribute('aria-label'))), (l) => l.length === 2 && l.every((s) => /poor|fair|good|excellent/.test(s)), 25_000);
    await ada.keyboard.press('Escape');

    await ada.keyboard.press('s');
    await seen(bob, '.tile.screen video.playing');
    await ada.keyboard.press('s');
    await gone(bob, '.tile.screen');

    await ada.keyboard.press('g');
    await until('speaker view', () => ada.evaluate(() => [...document.querySelectorAll('.tile')].map((e) => e.clientWidth)), (w) => Math.max(...w) > 2 * Math.min(...w));
    await ada.keyboard.press('g');
    Object.assign(t, { room, ada, bob });
  },

  async 'the call is reachable by keyboard, has names for everything and fits a telephone'(t) {
    const { ada, bob } = t;
    for (const page of [ada, bob]) assert.deepEqual(await accessibilityFaults(page), []);
    await ada.evaluate(() => document.activeElement?.blur());
    const names = await tabThrough(ada);
    assert.deepEqual(names.filter((s) => !s.marked).map((s) => s.name), [], 'focus is visible everywhere');
    for (const wanted of ['Turn microphone off', 'Turn camera off', 'Share screen', 'Chat', 'People', 'Invite', 'Leave', 'Statistics', 'Settings']) {
      assert.ok(names.some((s) => s.name.startsWith(wanted)), `${wanted} by Tab: ${names.map((s) => s.name)}`);
    }
    // A dialog holds the focus and gives it back.
    const invite = ada.locator('.bar .control:has(svg[data-icon="personAdd"])');
    await invite.focus();
    await ada.keyboard.press('Enter');
    await seen(ada, 'dialog[open] .qr img');
    assert.deepEqual(await accessibilityFaults(ada), []);
    for (let i = 0; i < 6; i++) {
      await ada.keyboard.press('Tab');
      assert.ok(await ada.evaluate(() => document.activeElement === document.body || !!document.activeElement.closest('dialog')), 'focus stays in the dialog');
    }
    await ada.keyboard.press('Escape');
    await gone(ada, 'dialog');
    assert.ok(await invite.evaluate((e) => e === document.activeElement), 'focus returns');

    await bob.click('.bar .narrow-only');
    await bob.click('.more button:has(svg[data-icon="people"])');
    await until('both are listed', () => bob.$$eval('.members li', (l) => l.length), (n) => n === 2);
    assert.equal(await bob.$$eval('.kick', (l) => l.length), 0);
    const left = await bob.evaluate(() => document.body.innerText.match(/\b(Mute|Chat|People|Leave|Invite|More|Video)\b/g));
    assert.equal(left, null, 'all of the call is in Chinese');
    assert.deepEqual(await accessibilityFaults(bob), []);
    await bob.keyboard.press('Escape');
  },

  async 'a third person finds the room full'(t) {
    const page = await open(t, `/r/${t.room}`);
    await joinFromLobby(page, 'Eve');
    await endsWith(page, 'The room is full');
    await close(page);
  },

  async 'a reload comes back to the lobby of the room and into the call, once'(t) {
    await t.bob.reload();
    await seen(t.bob, '#name');
    assert.equal(await t.bob.inputValue('#name'), kBobsName);
    assert.equal(await t.bob.inputValue('#room'), t.room);
    await joinFromLobby(t.bob, kBobsName);
    await sees(t.ada, 'Bob');
    await until('one Bob', () => t.ada.$$eval(tile('Bob'), (l) => l.length), (n) => n === 1);
  },

  async 'a host removes a member, who is told and may come again'(t) {
    const { ada, bob } = t;
    await ada.keyboard.press('p');
    await ada.focus('.kick');
    await ada.keyboard.press('Enter');
    assert.ok((await ada.innerText('dialog h2')).includes(kBobsName));
    await ada.click('dialog .button.danger');
    await endsWith(bob, '你已被移出通话');
    await gone(ada, tile('Bob'));
    await bob.goto(`${t.server.origin}/r/${t.room}`);
    await joinFromLobby(bob, 'Bob');
    await sees(ada, 'Bob');
    await bob.click('.bar .control.danger');
    await endsWith(bob, '你已离开通话');
    await gone(ada, tile('Bob'));
    await ada.keyboard.press('Escape');
    await ada.click('.bar .control.danger');
    await endsWith(ada, 'You have left the call');
    assert.deepEqual(await accessibilityFaults(ada), []);
    await close(ada, bob);
  },

  async 'links with tokens: a good one, an expired one, a forged one'(t) {
    const room = uniqueRoom('token');
    const good = t.server.cli('token', '--data-dir', t.server.dataDir, '--room', room, '--user', 'carol').trim();
    const page = await open(t, `/r/${room}#token=${encodeURIComponent(good)}`);
    await joinFromLobby(page, 'Carol');
    await seen(page, '.call');
    assert.equal(await page.evaluate(() => location.hash), '', 'the token is not left in the address');
    await page.reload();
    await seen(page, '#room[readonly]');
    await joinFromLobby(page, 'Carol');
    await seen(page, '.call');
    await close(page);

    const brief = t.server.cli('token', '--data-dir', t.server.dataDir, '--room', room, '--user', 'carol', '--expires', '1').trim();
    const [key, sign, access] = good.split(':');
    const forged = [key, (sign[0] === 'A' ? 'B' : 'A') + sign.slice(1), access].join(':');
    const late = await open(t, `/r/${room}#token=${encodeURIComponent(forged)}`);
    await joinFromLobby(late, 'Carol');
    await endsWith(late, 'The invitation is not valid');
    await close(late);
    const claims = JSON.parse(Buffer.from(brief.split(':')[2], 'base64'));
    await until('the token has expired', () => Date.now() / 1000, (now) => now > claims.expireAt + 1);
    const expired = await open(t, `/r/${room}#token=${encodeURIComponent(brief)}`);
    await joinFromLobby(expired, 'Carol');
    await endsWith(expired, 'The invitation has expired');
    await expired.click('.end .primary');
    await joinFromLobby(expired, 'Carol');
    await seen(expired, '.call');
    await close(expired);
  },

  async 'without camera, or without leave to use it, one is told and can still join'(t) {
    const denied = await open(t, '/r/denied', {
      init: () => {
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('Permission denied', 'NotAllowedError'));
      },
    });
    await seen(denied, '.problem');
    assert.match(await denied.innerText('.problem'), /Camera and microphone are blocked/);
    await close(denied);

    // A real browser without a camera.
    const bare = await launchChromium({ args: ['--use-fake-device-for-media-stream=device-count=0'] });
    try {
      const page = await open(t, '/r/bare', { browser: bare });
      await seen(page, '.problem');
      assert.match(await page.innerText('.problem strong'), /No camera found/);
      await joinFromLobby(page, 'Dan');
      await seen(page, '.call');
      await seen(page, `${tile('Dan')}[aria-label*="Camera off"]`);
    } finally {
      await bare.close();
    }
  },

  async 'none of this left an error in the console'(t) {
    assert.deepEqual(t.noise, []);
  },

  async 'a restart of the server shows a banner, and the call comes back'(t) {
    const own = { ...t, noise: [] };
    const room = uniqueRoom('restart');
    const ada = await open(own, `/r/${room}`);
    await joinFromLobby(ada, 'Ada');
    const bob = await open(own, `/r/${room}`);
    await joinFromLobby(bob, 'Bob');
    await sees(ada, 'Bob');
    await t.server.stop('SIGKILL');
    await seen(ada, '.notice.warning');
    assert.match(await ada.innerText('.notice.warning'), /Reconnecting|Trying again/);
    await t.server.start();
    await Promise.all([gone(ada, '.notice.warning'), gone(bob, '.notice.warning')]);
    await until('Ada sees Bob again', () => frames(ada, 'Bob'), (n) => n > 5, 40_000);
    await sees(ada, 'Bob');
    await close(ada, bob);
  },
};
