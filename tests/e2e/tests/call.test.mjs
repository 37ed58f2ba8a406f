// A call between browsers through qnweb-rtc 4.3.2.
import assert from 'node:assert/strict';
import { launchChromium, PageServer, until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { Server } from '../lib/server.mjs';

export async function setup() {
  const server = await new Server().start();
  const pages = await new PageServer().start();
  const browser = await launchChromium();
  return { server, pages, browser };
}

export async function teardown({ server, pages, browser }) {
  await browser.close();
  pages.stop();
  await server.stop();
}

export const tests = {
  async 'two members see and hear each other'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'alice', { userData: 'Alice' });
    const b = await join(t, room, 'bob', { userData: 'Bob' });
    assert.equal((await a.waitEvent('user-joined')).userData, 'Bob');
    await publishBoth(a);
    await publishBoth(b);
    await Promise.all([a.waitMedia({ videos: 1, audios: 1 }), b.waitMedia({ videos: 1, audios: 1 })]);
    await a.call('leave');
    await b.waitEvent('user-left', (e) => e.userID === 'alice');
    await Promise.all([a.close(), b.close()]);
  },
};
