// The server dies and comes back; members return by themselves.
import assert from 'node:assert/strict';
import { until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { openStage } from '../lib/stage.mjs';

export const setup = () => openStage();
export { closeStage as teardown } from '../lib/stage.mjs';

async function backAgain(t, stop) {
  const room = uniqueRoom();
  const a = await join(t, room, 'alice');
  const b = await join(t, room, 'bob');
  await publishBoth(a);
  await b.waitMedia({ videos: 1, audios: 1 });
  await stop();
  await t.server.start();
  for (const m of [a, b]) {
    await until(`${m.userID} connected again`, () => m.events('state'), (s) => ['RECONNECTED', 'CONNECTED'].includes(s.at(-1).state) && s.some((e) => e.state === 'RECONNECTING'), 40_000);
  }
  await until('bob sees alice again', () => b.call('users'), (u) => u.length === 1 && u[0].tracks.length === 2, 40_000);
  const cam = (await b.call('users'))[0].tracks.find((x) => x.tag === 'cam').id;
  await until('frames after the restart', () => b.call('probe'), (p) => p[cam]?.frames > 0, 40_000);
  await b.waitMoreFrames(cam, 15, 40_000);
  await Promise.all([a.close(), b.close()]);
}

export const tests = {
  async 'S86 the server is killed and started again'(t) {
    await backAgain(t, () => t.server.stop('SIGKILL'));
  },
  async 'SIGTERM drains: members are told and come back'(t) {
    await backAgain(t, async () => {
      await t.server.stop('SIGTERM');
      assert.deepEqual(await t.server.exited, { code: 0, signal: null });
      assert.doesNotMatch(t.server.log, /drain deadline passed/);
    });
  },
};
