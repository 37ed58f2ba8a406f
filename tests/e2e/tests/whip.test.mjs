// WHIP in, WHEP out, beside a qnweb-rtc member of the same room.
import assert from 'node:assert/strict';
import { launchChromium, PageServer, until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { Server } from '../lib/server.mjs';

export async function setup() {
  return { server: await new Server().start(), pages: await new PageServer().start(), browser: await launchChromium() };
}

export async function teardown({ server, pages, browser }) {
  await browser.close();
  pages.stop();
  await server.dispose();
}

async function open(t) {
  const context = await t.browser.newContext({ permissions: ['camera', 'microphone'] });
  const page = await context.newPage();
  await page.goto(`${t.pages.origin}/whip`);
  return page;
}

export const tests = {
  async 'a WHIP encoder is a member that others see and hear'(t) {
    const room = uniqueRoom('whip');
    const a = await join(t, room, 'alice');
    const page = await open(t);
    const token = await t.server.token(room, 'encoder');
    await page.evaluate(([url, tok]) => window.member.publish(url, tok), [`${t.server.origin}/whip/demo/${room}/encoder`, token]);
    await a.waitMedia({ videos: 1, audios: 1 });
    await page.evaluate(() => window.member.stopPublishing());
    await a.waitEvent('user-left', (e) => e.userID === 'encoder');
    await a.close();
    await page.context().close();
  },
  async 'a WHEP player sees and hears a member'(t) {
    const room = uniqueRoom('whep');
    const a = await join(t, room, 'alice');
    await publishBoth(a);
    const page = await open(t);
    const token = await t.server.token(room, 'viewer');
    await page.evaluate(([url, tok]) => window.member.view(url, tok), [`${t.server.origin}/whep/demo/${room}/alice`, token]);
    await until('the player plays', () => page.evaluate(() => window.member.probe()), (p) => p.video?.frames > 10 && p.audio?.peak > 0.005);
    assert.deepEqual(await a.events('user-joined'), [], 'a viewer is not shown to members');
    await page.evaluate(() => window.member.stopViewing());
    await a.close();
    await page.context().close();
  },
};
