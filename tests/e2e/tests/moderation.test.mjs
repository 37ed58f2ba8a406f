// What an app server does to a room, in front of real browsers with real media.
import assert from 'node:assert/strict';
import { until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { openStage } from '../lib/stage.mjs';
import { account } from '../lib/tokens.mjs';
import { X1 } from '../lib/x1.mjs';

export const setup = () => openStage();
export { closeStage as teardown } from '../lib/stage.mjs';

export const tests = {
  async 'x1 mutes, withdraws rights and kicks in front of browsers'(t) {
    const x1 = await X1.open(t.server, account(t.server));
    const room = uniqueRoom('lesson');
    const alice = await join(t, room, 'alice');
    const bob = await join(t, room, 'bob');
    await publishBoth(alice);
    await bob.waitMedia({ videos: 1, audios: 1 });
    const ann = { appId: 'demo', room, user: 'alice' };
    const frames = async () => {
      const video = (await bob.stats({ type: 'inbound-rtp', kind: 'video' }))[0];
      return video?.framesReceived ?? 0;
    };

    const muted = await x1.ok('muteMember', ann, { body: { muted: true, locked: true, kind: 'video' } });
    assert.equal(muted.changed.length, 1);
    await until('bob sees the mute', () => bob.wire('mute-tracks'), (all) => all.some((b) => b.tracks.some((m) => m.trackid === muted.changed[0].trackId && m.muted)));
    // What is on its way may still arrive; then nothing does, though alice's camera goes on.
    let last = -1;
    await until('nothing more of the camera', async () => [last, last = await frames()], ([a, b]) => a === b, 5_000);
    assert.equal(await frames(), last);
    await x1.ok('muteMember', ann, { body: { muted: false } });
    await until('the picture is back', frames, (n) => n > last + 5);

    const before = Date.now();
    await x1.ok('updateMember', ann, { body: { publish: false } });
    await until('bob hears that the tracks are gone', () => bob.wire('on-remove-tracks'), (all) => all.flatMap((b) => b.tracks).length === 2);
    // Also a slow machine sees it within the bound; a server that waited for a timer would not.
    const at = await bob.page.evaluate(() => window.wire.find((w) => w.name === 'on-remove-tracks').at ?? Date.now());
    assert.ok(at - before < 500, `withdrawn after ${at - before} ms`);
    assert.equal((await x1.ok('getRoom', ann)).tracks.length, 0);

    await x1.ok('kickMember', ann);
    await alice.waitEvent('state', (e) => e.state === 'DISCONNECTED');
    await Promise.all([alice.close(), bob.close()]);
  },
};
