// Many members, and more than one media worker.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { binary } from '../lib/server.mjs';
import { enter, offerSdp } from '../lib/signaller.mjs';
import { openStage } from '../lib/stage.mjs';

export const setup = () => openStage({ workers: 2 });
export { closeStage as teardown } from '../lib/stage.mjs';

export const tests = {
  async 'rooms spread over the workers, a room stays on one'(t) {
    const body = { sdp: offerSdp, policy: 'forceUdp', tracks: [{ localid: 'mic-1', localmid: '2', kind: 'audio', master: true }] };
    const ports = [];
    const all = [];
    for (let i = 0; i < 6; ++i) {
      const room = uniqueRoom('spread');
      const of = [];
      for (const user of ['u1', 'u2']) {
        all.push(await enter(t.server, room, user));
        of.push(...(await all.at(-1).ask('pubpc', body)).iceCandidates.map((c) => c.port));
      }
      assert.equal(new Set(of).size, 1, 'one room, one worker');
      ports.push(of[0]);
    }
    assert.deepEqual([...new Set(ports)].sort(), [t.server.mediaPort, t.server.mediaPort + 1].sort());
    for (const m of all) m.close();
  },

  async 'twelve members, each with the pictures and voices of the eleven others'(t) {
    // As many browsers as the machine carries: two that show everything, and ten of the load generator's members, whose
    // own figures are checked in bench.test.mjs.
    const room = uniqueRoom('twelve');
    const account = JSON.parse(fs.readFileSync(path.join(t.server.dataDir, 'account.json'), 'utf8'));
    const crowd = spawn(
      binary(),
      ['bench', '--url', t.server.origin, '--quiet', '--json', '--room', room, '--mesh', '--publishers', '10', '--subscribers', '0',
        '--kbps', '150', '--settle', '0', '--duration', '600'],
      { env: { ...process.env, PARLEY_ACCESS_KEY: account.accessKey, PARLEY_SECRET_KEY: account.secretKey }, stdio: 'ignore' },
    );
    const members = [];
    try {
      for (const name of ['browser1', 'browser2']) {
        members.push(await join(t, `${room}-0`, name));
        await publishBoth(members.at(-1), { video: { encoderConfig: { width: 160, height: 120, frameRate: 10, bitrate: 80 } } });
      }
      for (const m of members) {
        await until(`${m.userID}: 11 pictures and 11 voices`, async () => {
          const streams = await m.stats({ type: 'inbound-rtp' });
          return { video: streams.filter((s) => s.kind === 'video' && s.framesDecoded > 10).length, audio: streams.filter((s) => s.kind === 'audio' && s.packetsReceived > 50).length };
        }, (n) => n.video === 11 && n.audio === 11, 90_000);
      }
      const subscriptions = async () => [...(await t.server.metrics())].filter(([k]) => k === 'parley_subscriptions').reduce((n, [, v]) => n + v, 0);
      await until('everybody has everybody', subscriptions, (n) => n === 12 * 22);
    } finally {
      crowd.kill();
      await Promise.all(members.map((m) => m.close()));
    }
  },
};
