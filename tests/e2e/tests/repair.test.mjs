// Publish and subscribe connections that break, are rebuilt, and carry many tracks (conformance 7.4 and 7.5).
import assert from 'node:assert/strict';
import { until } from '../lib/browser.mjs';
import { join, publishBoth, uniqueRoom } from '../lib/members.mjs';
import { openStage } from '../lib/stage.mjs';

export const setup = () => openStage();
export { closeStage as teardown } from '../lib/stage.mjs';

const close = (...members) => Promise.all(members.map((m) => m.close()));
const small = { encoderConfig: { width: 320, height: 240, frameRate: 15, bitrate: 200 } };

export const tests = {
  async 'S60 S61 S74 a restart that fails becomes a new connection with the same tracks'(t) {
    const room = uniqueRoom('rebuild');
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    const ids = await publishBoth(a, { video: small });
    await b.waitMedia({ videos: 1, audios: 1 });
    // The client asks for a restart of a connection that the server does not have.
    const [{ pcid }] = await a.wire('pubpc-res');
    await a.page.evaluate((id) => {
      window.rewriteOut = (name, body) => (name === 'pubpc-restart' ? { ...body, pcid: 'gone000000000000' } : body);
      window.hear('on-pubpc-restart-notify', { pcid: id, error: '' });
    }, pcid);
    const again = await until('a new pubpc', () => a.wire('pubpc-res'), (l) => l.length === 2);
    assert.notEqual((await a.wire('pubpc-restart-res'))[0].code, 0);
    assert.equal(again[1].code, 0);
    await b.waitEvent('user-unpublished');
    const shown = async () => (await b.call('users'))[0]?.tracks ?? [];
    await until('the tracks once, not twice', shown, (l) => l.length === 2);
    const added = (await b.wire('on-add-tracks')).flatMap((x) => x.tracks);
    assert.deepEqual([...new Set(added.map((x) => x.trackid))].sort(), [...ids].sort(), 'the same ids');
    assert.ok(added.some((x) => x.versionid > 1));
    const camera = (await shown()).find((x) => x.tag === 'cam').id;
    await b.waitMoreFrames(camera, 15);
    await close(a, b);
  },

  async 'S63 a certificate that the offer did not name ends the connection; the next one works'(t) {
    const room = uniqueRoom('forged');
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    await a.page.evaluate(() => {
      window.rewriteOut = (name, body) => {
        if (name !== 'pubpc' || window.forged) return body;
        window.forged = true;
        return { ...body, sdp: body.sdp.replace(/(a=fingerprint:sha-256 )..(?=:)/g, (_, head) => `${head}00`).replace(/(a=fingerprint:sha-256 00:)..(?=:)/g, '$100') };
      };
    });
    await publishBoth(a, { video: small });
    assert.equal(await a.page.evaluate(() => window.forged), true);
    const made = await a.wire('pubpc-res');
    assert.ok(made.length >= 2, 'the first connection did not come up');
    assert.deepEqual((await a.wire('on-pubpc-disconnected')).map((x) => x.pcid), [made[0].pcid]);
    assert.ok((await a.wire('on-pubpc-connected')).every((x) => x.pcid !== made[0].pcid));
    await b.waitMedia({ videos: 1, audios: 1 });
    await close(a, b);
  },

  async 'S55 S71 connections that the server lost are made again'(t) {
    const room = uniqueRoom('lost');
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    await a.call('create', 'mic', 'microphone');
    await a.call('publish', 'mic');
    await b.waitMedia({ audios: 1 });
    // Once, the answer to the next request is that the connection is gone.
    for (const [m, request, code] of [[a, 'pub-tracks', 10061], [b, 'sub-tracks', 10062]]) {
      await m.page.evaluate(([n, c]) => {
        window.rewriteOut = (name, body) => {
          if (name !== n || window.denied) return body;
          window.denied = true;
          setTimeout(() => window.hear(`${n}-res`, { rpcid: body.rpcid, code: c, error: 'gone', tracks: [] }), 0);
          return null;
        };
      }, [request, code]);
    }
    await a.call('create', 'cam', 'camera', small);
    const [camera] = await a.call('publish', 'cam');
    assert.equal((await a.wire('pubpc')).length, 2);
    await until('pictures', async () => (await b.call('probe'))[camera]?.frames, (n) => n > 10, 30_000);
    await b.waitMedia({ videos: 1, audios: 1 });
    await close(a, b);
  },

  async 'S68 ten tracks, half of them dropped, five new ones'(t) {
    const room = uniqueRoom('many');
    const a = await join(t, room, 'alice');
    const b = await join(t, room, 'bob');
    const make = async (names) => {
      for (const name of names) await a.call('create', name, 'noise', { width: 64, height: 64, frameRate: 5, bitrate: 50 });
      return a.call('publish', ...names);
    };
    const first = await make(Array.from({ length: 10 }, (_, i) => `first${i}`));
    const frames = (ids) => until('pictures', () => b.call('probe'), (p) => ids.every((id) => p[id]?.frames > 2), 40_000);
    await frames(first);
    await b.call('unsubscribe', first.slice(0, 5));
    const second = await make(Array.from({ length: 5 }, (_, i) => `second${i}`));
    await frames([...first.slice(5), ...second]);
    await b.call('subscribe', first.slice(0, 1));
    await frames([first[0]]);
    const mids = await b.page.evaluate(() => window.peerConnections.map((pc) => [...(pc.remoteDescription?.sdp ?? '').matchAll(/a=mid:(\S+)/g)].map((m) => m[1])));
    for (const list of mids) assert.equal(new Set(list).size, list.length, `unique: ${list}`);
    await close(a, b);
  },

  async 'S38 S37 how a session ends from the server side'(t) {
    for (const [code, reason] of [[0, 'LEAVE'], [10005, 'ERROR']]) {
      const m = await join(t, uniqueRoom('end'), 'm');
      await m.page.evaluate((c) => window.hear('disconnect', { code: c, error: '' }), code);
      const end = await m.waitEvent('state', (e) => e.state === 'DISCONNECTED');
      assert.equal(end.info.reason, reason);
      await m.close();
    }
  },
};
