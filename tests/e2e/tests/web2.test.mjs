// pili-rtc-web 2.5.2, unmodified: its host names lead to our TLS port by name resolution.
import assert from 'node:assert/strict';
import { launchChromium, PageServer, until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { Server } from '../lib/server.mjs';

export async function setup() {
  const server = await new Server().start();
  const pages = await new PageServer().start();
  const map = ['rtc.qiniuapi.com', 'rtc.qiniu.com', 'pili-rtc-qos.qiniuapi.com'].map((h) => `MAP ${h}:443 127.0.0.1:${server.tlsPort}`).join(',');
  const browser = await launchChromium({ args: [`--host-resolver-rules=${map}`] });
  return { server, pages, browser };
}

export { closeStage as teardown } from '../lib/stage.mjs';

export const tests = {
  async 'S100 S103 two old clients and a new one in one room'(t) {
    const room = uniqueRoom();
    const a = await join(t, room, 'olda', { kind: 'web2', userData: 'A' });
    const b = await join(t, room, 'oldb', { kind: 'web2', userData: 'B' });
    const c = await join(t, room, 'newc', { kind: 'web4', userData: 'C' });
    assert.equal((await a.waitEvent('user-joined', (e) => e.userID === 'newc')).userData, 'C');
    await a.call('publish');
    await publishBoth(c);
    await b.waitMedia({ videos: 2, audios: 2 });
    await c.waitMedia({ videos: 1, audios: 1 });
    await c.call('send', 'x1', 'hello');
    await b.waitEvent('message');
    await a.call('mute', true);
    await c.waitEvent('mute', (e) => e.muted);
    await a.call('leave');
    await b.waitEvent('user-left', (e) => e.userID === 'olda');
    await Promise.all([a.close(), b.close(), c.close()]);
  },
  async 'an old client with admin rights kicks'(t) {
    const room = uniqueRoom();
    const boss = await join(t, room, 'boss', { kind: 'web2', admin: true });
    const a = await join(t, room, 'olda', { kind: 'web2' });
    await boss.call('kick', 'olda');
    assert.equal((await a.waitEvent('disconnect')).code, 10006);
    await until('gone', () => boss.events('user-left'), (l) => l.length === 1);
    await Promise.all([boss.close(), a.close()]);
  },
};
