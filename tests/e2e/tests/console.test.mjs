// The console, as an operator uses it: a real server, real members, and nothing but the public REST between.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { enter } from '../lib/signaller.mjs';
import { closeStage, openStage } from '../lib/stage.mjs';
import { account } from '../lib/tokens.mjs';
import { X1 } from '../lib/x1.mjs';
import { accessibilityFaults, buildPages, phone } from '../lib/web_pages.mjs';

const desktop = { width: 1440, height: 900 };
const kMarkup = 'Ada <img src=x onerror=alert(1)>';

/** PARLEY_SHOTS=folder keeps a picture of each page. */
const shots = process.env.PARLEY_SHOTS;

export async function setup() {
  buildPages();
  const stage = await openStage({ config: '[gate]\nallow = ["127.0.0.1"]' });
  const received = [];
  const receiver = http.createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    received.push(JSON.parse(body));
    response.end('{}');
  });
  await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  return { ...stage, receiver, received, keys: account(stage.server), room: uniqueRoom('console'), noise: [], requests: [] };
}

export async function teardown(t) {
  t.receiver.closeAllConnections();
  t.receiver.close();
  await closeStage(t);
}

async function open(t, url, { viewport = desktop, language = 'en', theme = 'light', ...more } = {}) {
  const context = await t.browser.newContext({ viewport, reducedMotion: 'reduce', ...more });
  await context.addInitScript(([l, th]) => {
    localStorage.getItem('parley.language') ?? localStorage.setItem('parley.language', l);
    localStorage.getItem('parley.theme') ?? localStorage.setItem('parley.theme', th);
    addEventListener('securitypolicyviolation', (e) => console.error(`policy: ${e.effectiveDirective} ${e.blockedURI} ${e.sample}`));
  }, [language, theme]);
  const page = await context.newPage();
  page.on('pageerror', (e) => t.noise.push(`${page.url()}: ${e.message}`));
  page.on('console', (m) => m.type() === 'error' && t.noise.push(`${page.url()}: ${m.text()}`));
  page.on('request', (r) => t.requests.push(`${r.method()} ${r.url()} ${JSON.stringify(r.headers())} ${r.postData() ?? ''}`));
  await page.goto(`${t.server.origin}${url}`);
  return page;
}

async function signIn(page, { accessKey, secretKey }) {
  await page.fill('#access-key', accessKey);
  await page.fill('#secret-key', secretKey);
  await page.click('button[type=submit]');
}

const card = (name) => `.member[aria-label^="${name}"]`;
const said = (page, text) => page.waitForFunction((s) => [...document.querySelectorAll('.toast')].some((e) => e.textContent.includes(s)), text, { timeout: 10_000 });

/** Opens a member's menu and chooses. */
async function choose(page, name, item) {
  await page.click(`${card(name)} header .icon-button`);
  await page.click(`.menu-item:has-text("${item}")`);
}

/** The page shows what it is for: no waiting, and no failure. */
async function shown(page) {
  await page.waitForFunction(() => !document.querySelector('[aria-busy=true]') && document.querySelector('h1'), null, { timeout: 15_000 });
  const alerts = await page.$$eval('.page [role=alert]', (l) => l.map((e) => e.innerText.trim()));
  assert.deepEqual(alerts, [], page.url());
}

/** Words of the English console that a Chinese page must not have. */
const kEnglish = /\b(Rooms|Apps|Save|Settings|Usage|History|Keys|Loading|Sign|Members|Quality|Send|Copy|Refresh|Join|Title|Create|State|Tracks|People)\b/;

export const tests = {
  async 'console: own policy, a wrong key is refused, the right one stays for the tab only'(t) {
    const res = await fetch(`${t.server.origin}/console/apps/demo/rooms`);
    assert.equal(res.status, 200);
    const policy = res.headers.get('content-security-policy');
    assert.match(policy, /default-src 'none'; script-src 'self'; style-src 'self'/);
    assert.doesNotMatch(policy, /unsafe/);

    const page = await open(t, '/console');
    await page.click('button[type=submit]');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'access-key');
    assert.deepEqual(await accessibilityFaults(page), []);
    await signIn(page, { ...t.keys, secretKey: 'wrong' });
    await page.waitForSelector('.problem');
    assert.match(await page.innerText('.problem'), /secret is wrong/);
    t.noise.length = 0; // The browser's own line about status 401.
    await signIn(page, t.keys);
    await page.waitForSelector('.apps .app');
    assert.match(page.url(), /\/console\/apps$/);
    await page.reload();
    await page.waitForSelector('.apps .app');
    const other = await page.context().newPage();
    await other.goto(`${t.server.origin}/console/apps`);
    await other.waitForSelector('#access-key');
    await other.close();
    const kept = await page.evaluate(() => JSON.stringify(localStorage) + document.cookie + document.documentElement.outerHTML);
    assert.ok(!kept.includes(t.keys.secretKey), 'the secret is kept for the tab only');
    t.page = page;
  },

  async 'console: a live room of two, its tracks and figures, names with markup as text'(t) {
    t.ada = await join(t, t.room, 'ada', { userData: kMarkup });
    await publishBoth(t.ada);
    t.bob = await join(t, t.room, 'bob', { userData: '{"nickname":"Bob"}' });
    await t.bob.waitMedia({ videos: 1, audios: 1 });
    const { page } = t;
    await page.click('.side .link:has-text("Live rooms")');
    await page.click(`a.name:has-text("${t.room}")`);
    await page.waitForSelector(card('Bob'));
    assert.equal(await page.innerText(`${card('Ada')} h3`), kMarkup);
    assert.equal(await page.$$eval('img[src="x"]', (l) => l.length), 0);
    await until('both tracks and who watches', () => page.$$eval(`${card('Ada')} .tracks li`, (l) => l.map((e) => e.innerText)), (l) => l.length === 2 && /opus/.test(l[0]) && /H264|VP8/.test(l[1]) && l.every((s) => /1 watching/.test(s)));
    await page.waitForSelector(`${card('Bob')} footer dl .number`, { timeout: 30_000 });
    assert.match(await page.innerText(`${card('Bob')} footer dl`), /\d [kM]b\/s/, 'measured, not unknown');
    // The tone of a fake microphone comes and goes: the meter moves, and is never louder than it can be.
    const seen = new Set();
    await until('a meter that moves', () => page.getAttribute(`${card('Ada')} [role=meter]`, 'aria-valuenow').catch(() => null), (v) => v !== null && seen.add(Number(v)).size >= 3, 20_000);
    assert.ok([...seen].every((v) => v >= -127 && v <= 0) && Math.max(...seen) > -60, [...seen].join());
    if (shots) await page.screenshot({ path: path.join(shots, 'en-light-room.png') });
  },

  async 'console: mute, lock, write, take rights, kick and ban reach the members'(t) {
    const { page, ada, bob } = t;
    await choose(page, 'Ada', 'Mute audio');
    await said(page, 'Changed 1');
    await bob.waitEvent('mute', (e) => e.muted && e.userID === 'ada');
    await page.waitForSelector(`${card('Ada')} .track.muted`);
    assert.equal(await page.$(`${card('Ada')} [role=meter]`), null, 'nothing is said of how loud a muted track is');
    await choose(page, 'Ada', 'Mute, and keep it so');
    await page.waitForSelector(`${card('Ada')} .tracks .chip.bad`);
    await choose(page, 'Ada', 'Unmute');
    await page.waitForSelector(`${card('Ada')} .track.muted`, { state: 'detached' });

    await page.click('.tools button:has-text("Message")');
    const text = '<b>Five minutes</b> 五分钟';
    await page.fill('#message-text', text);
    await page.click('dialog button[type=submit]');
    await said(page, 'Told 2');
    assert.equal((await ada.waitEvent('message')).m.content, text);
    await bob.waitEvent('message');

    await choose(page, 'Bob', 'Make host');
    await page.waitForSelector(`${card('Bob')} .chip.good`);
    await choose(page, 'Bob', 'Put out');
    await page.click('dialog button.danger');
    await bob.waitEvent('state', (e) => e.info?.errorCode === 10006 || e.state === 'DISCONNECTED');
    await page.waitForSelector(card('Bob'), { state: 'detached' });
    await bob.close();

    await choose(page, 'Ada', 'Ban…');
    await page.selectOption('#ban-for', '3600');
    await page.fill('#ban-reason', '<i>spam</i>');
    await page.click('dialog button.danger');
    await page.waitForSelector(card('Ada'), { state: 'detached' });
    await page.click('button.chip:has-text("Bans: 1")');
    assert.match(await page.innerText('.bans li'), /ada\s+until .+<i>spam<\/i>/s);
    await page.click('.bans button');
    await page.waitForSelector('.bans li', { state: 'detached' });
    await page.keyboard.press('Escape');
    await ada.close();
  },

  async 'console: the join button opens the call with a fresh token; the room is shut and ended'(t) {
    const { page } = t;
    await page.click('header button:has-text("Join")');
    await page.fill('#join-user', 'operator-1');
    const [call] = await Promise.all([page.context().waitForEvent('page'), page.click('dialog button[type=submit]')]);
    await call.waitForSelector('#name', { timeout: 20_000 });
    assert.equal(new URL(call.url()).pathname, `/r/${t.room}`);
    assert.equal(new URL(call.url()).hash, '', 'the token left the address');
    assert.equal(await call.evaluate(() => window.opener), null);
    assert.ok(!(await call.evaluate(() => JSON.stringify(sessionStorage))).includes(t.keys.secretKey), 'no copy of the secret in the call');
    await call.fill('#name', 'Olga');
    await call.click('button[type=submit]');
    await page.waitForSelector(`${card('Olga')} .chip.good`, { timeout: 20_000 });
    await page.click('.tools button:has-text("Let nobody new in")');
    await page.waitForSelector('.page-head .chip.warn');
    await page.click('.tools button:has-text("Let people in again")');
    await page.waitForSelector('.page-head .chip.warn', { state: 'detached' });
    await page.click('.tools button:has-text("End the room")');
    await page.click('dialog button.danger');
    await page.waitForURL(/\/rooms$/);
    await call.waitForSelector('.end h1', { timeout: 15_000 });
    await call.close();
  },

  async 'console: settings are saved, keys are made, disabled and deleted'(t) {
    const { page } = t;
    await page.click('.side .link:has-text("Settings")');
    await page.fill('#s-title', kMarkup);
    await page.fill('#s-max', '9');
    await page.click('.save button');
    await said(page, 'Saved.');
    await page.reload();
    await page.waitForFunction(() => document.querySelector('#s-max')?.value === '9');
    assert.equal(await page.inputValue('#s-title'), kMarkup);
    assert.equal(await page.innerText('#app-picker option'), kMarkup);

    await page.click('.side .link:has-text("Keys")');
    await page.click('header button.primary');
    await page.waitForSelector('dialog .code');
    const [accessKey, secretKey] = await page.$$eval('dialog .code .mono', (l) => l.map((e) => e.textContent));
    await page.keyboard.press('Escape');
    const row = `tr:has-text("${accessKey}")`;
    await page.click(`${row} button:has-text("Disable")`);
    await page.click('dialog button.danger');
    await page.waitForSelector(`${row} .chip.bad`);
    const other = await open(t, '/console');
    await signIn(other, { accessKey, secretKey });
    await other.waitForSelector('.problem');
    await other.context().close();
    t.noise.length = 0; // The browser's own line about status 401.
    await page.click(`${row} button.danger`);
    await page.click('dialog button.danger');
    await page.waitForSelector(row, { state: 'detached' });
    await page.context().close();
  },

  async 'console: webhooks are listed with their outcome and sent again; the time line has the events'(t) {
    const page = await open(t, '/console');
    await signIn(page, t.keys);
    await page.waitForSelector('.apps .app');
    await page.goto(`${t.server.origin}/console/apps/demo/settings`);
    await page.waitForSelector('#s-url');
    await page.fill('#s-url', `http://127.0.0.1:${t.receiver.address().port}/hook`);
    await page.fill('#s-secret', 'cb-secret-1');
    await page.click('.save button');
    await said(page, 'Saved.');
    const room = uniqueRoom('hooks');
    const member = await enter(t.server, room, 'hook-user');
    const joined = () => t.received.filter((e) => e.event === 'user_joined' && e.roomName === room);
    await until('the event at the receiver', joined, (l) => l.length === 1);
    member.close();

    await page.click('.side .link:has-text("Webhooks")');
    const row = `tr:has-text("user_joined"):has-text("${room}")`;
    await page.waitForSelector(`${row} .chip.good`);
    await page.click(`${row} button`);
    await said(page, '1 are queued');
    await until('the event again, with its id', joined, (l) => l.length === 2 && l[0].id === l[1].id);
    await page.goto(`${t.server.origin}/console/apps/demo/rooms/${room}/timeline`);
    await page.waitForSelector('.events li:has-text("user_joined")');
    await page.context().close();
  },

  async 'console: hostile names are text, turn nothing around and break no page'(t) {
    const room = `${uniqueRoom('long')}-`.padEnd(64, 'W');
    const turned = 'eve\u202egnp.exe\u2066';
    const names = { turned, emoji: '👩‍👩‍👧‍👦'.repeat(16), long: 'W'.repeat(64), rtl: 'שלום עולם', markup: `${kMarkup}</h3><script>alert(2)</script>` };
    const members = await Promise.all(Object.entries(names).map(([user, playerdata]) => enter(t.server, room, user.padEnd(50, 'u'), { more: { playerdata } })));
    const x1 = await X1.open(t.server, t.keys);
    await x1.call('updateApp', { appId: 'demo' }, { body: { title: `${turned} ${names.long}` } });
    for (const [viewport, language] of [[desktop, 'en'], [{ width: 375, height: 667 }, 'zh']]) {
      const page = await open(t, '/console', { viewport, language });
      await signIn(page, t.keys);
      await page.waitForSelector('.apps .app');
      for (const place of ['rooms', `rooms/${room}`, `rooms/${room}/timeline?last=lastHour`, 'history', 'webhooks', 'jobs', 'settings', '../../apps']) {
        await page.goto(new URL(place, `${t.server.origin}/console/apps/demo/`).href);
        await page.waitForSelector('.page h1');
        await shown(page);
        assert.deepEqual(await accessibilityFaults(page), [], `${place} at ${viewport.width}`);
        const cut = await page.$$eval('.page :is(h1, h2, h3, td, th, .chip, .button)', (l) => l.filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 100)));
        assert.deepEqual(cut, [], `${place} at ${viewport.width}: nothing beyond the edge`);
        if (shots) await page.screenshot({ path: path.join(shots, `hostile-${viewport.width}-${place.replace(/[^a-z].*/, '') || 'apps'}${place.includes('timeline') ? '-timeline' : place.includes('/') ? '-room' : ''}.png`), fullPage: true });
      }
      await page.goto(`${t.server.origin}/console/apps/demo/rooms/${room}`);
      await page.waitForSelector('.member h3');
      assert.deepEqual((await page.$$eval('.member h3', (l) => l.map((e) => e.textContent))).sort(), Object.values(names).sort());
      // What follows the name reads from left to right.
      await choose(page, 'eve', language === 'en' ? 'Put out' : '移出');
      const places = await page.$eval('dialog p', (p) => {
        const text = p.firstChild;
        return [2, 1].map((back) => {
          const range = document.createRange();
          range.setStart(text, text.length - back);
          range.setEnd(text, text.length - back + 1);
          return range.getBoundingClientRect();
        }).map(({ x, y }) => ({ x, y }));
      });
      assert.ok(places[0].y < places[1].y || places[0].x < places[1].x, JSON.stringify(places));
      await page.keyboard.press('Escape');
      await page.context().close();
    }
    for (const member of members) member.close();
  },

  async 'console: every page in both languages, dark and light, on a desk and in the hand'(t) {
    const places = ['apps', 'apps/demo/rooms', `apps/demo/rooms/${t.room}/timeline?last=lastHour`, 'apps/demo/history', 'apps/demo/usage', 'apps/demo/jobs', 'apps/demo/webhooks', 'apps/demo/settings', 'keys', 'node', 'sdk'];
    for (const [viewport, language, theme] of [[desktop, 'en', 'light'], [phone, 'zh', 'dark']]) {
      const page = await open(t, '/console', { viewport, language, theme });
      await signIn(page, t.keys);
      await page.waitForSelector('.apps .app');
      assert.equal(await page.getAttribute('html', 'data-theme'), theme);
      for (const place of places) {
        await page.goto(`${t.server.origin}/console/${place}`);
        await page.waitForSelector('.page h1');
        await shown(page);
        if (place.includes('timeline')) assert.ok((await page.$$('.charts canvas')).length >= 2, 'bitrate and loss of the call before');
        if (place.endsWith('usage')) assert.ok((await page.$$('.charts canvas')).length >= 3, 'minutes, traffic and people of the call before');
        assert.deepEqual(await accessibilityFaults(page), [], place);
        if (language === 'zh') assert.doesNotMatch(await page.innerText('.page'), kEnglish, place);
        if (shots) await page.screenshot({ path: path.join(shots, `${language}-${theme}-${place.replace(/[/?=].*?(\w+)$|\//g, '-$1')}.png`), fullPage: true });
      }
      await page.context().close();
    }
    assert.deepEqual(t.noise, [], 'no error and no breach of the policy on any page');
    assert.ok(!t.requests.some((r) => r.includes(t.keys.secretKey)), 'the secret was never sent');
  },
};
