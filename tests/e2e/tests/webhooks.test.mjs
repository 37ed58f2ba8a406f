// Events reach an app server that checks them with the official SDK: in order, at least once, whoever dies.
import assert from 'node:assert/strict';
import qiniu from 'qiniu';
import { createReceiver } from '../../../examples/webhook-receiver/receiver.mjs';
import { until } from '../lib/browser.mjs';
import { makeNetwork } from '../lib/network.mjs';
import { Server } from '../lib/server.mjs';
import { account } from '../lib/tokens.mjs';
import { X1 } from '../lib/x1.mjs';
import { enter } from '../lib/signaller.mjs';

// The SDK's check needs the usual port, which is free in a namespace.
export const namespace = true;

const SECRET = 'cb-secret-1';

/// The example's receiver, which a test can let fail. `requests` also counts what it refused.
class AppServer {
  constructor() {
    this.events = [];
    this.requests = 0;
    this.failures = 0;
  }
  async listen() {
    this.http = createReceiver(qiniu, {
      secretOf: (appId) => (appId === 'demo' ? SECRET : undefined),
      onEvent: (event) => {
        if (this.failures-- > 0) throw new Error('not now');
        this.events.push(event);
      },
    });
    this.http.on('request', () => { ++this.requests; });
    await new Promise((resolve) => this.http.listen(80, '127.0.0.1', resolve));
    return this;
  }
  get url() { return 'http://127.0.0.1/rtc/callback?from=parley'; }
  of(room) { return this.events.filter((e) => e.roomName === room); }
  hear(room, ...names) {
    return until(`${names.at(-1)} of ${room}`, () => this.of(room), (list) => list.some((e) => e.event === names.at(-1)), 30_000);
  }
  close() {
    this.http.closeAllConnections();
    return new Promise((resolve) => this.http.close(resolve));
  }
}

const demo = { appId: 'demo' };
const pointTo = (x1, url) => x1.ok('updateApp', demo, { body: { eventCbUrl: url, eventCbSecret: SECRET } });

export async function setup() {
  makeNetwork();
  const server = new Server({ config: '[gate]\nallow = ["127.0.0.1"]\n[app]\nauto_close_ttl_s = 0\n' });
  await server.start();
  const app = await new AppServer().listen();
  const x1 = await X1.open(server, account(server));
  await pointTo(x1, app.url);
  return { server, app, x1 };
}

export async function teardown({ server, app }) {
  await server.dispose();
  await app.close();
}

export const tests = {
  async 'events come signed and in order, also after a failure'({ server, app }) {
    app.failures = 1;
    const member = await enter(server, 'hooks-order', 'alice');
    member.say('disconnect');
    await app.hear('hooks-order', 'room_closed');
    const events = app.of('hooks-order');
    assert.deepEqual(events.map((e) => e.event), ['room_created', 'user_joined', 'user_left', 'room_closed']);
    assert.ok(app.requests > events.length, 'the first one came twice');
    assert.equal(new Set(events.map((e) => e.id)).size, events.length);
    assert.deepEqual(events[1].data, { userData: "alice's data", agent: 'test', permission: 'user' });
    assert.equal(events[1].userId, 'alice');
    assert.equal(events[1].roomId, 'demo:hooks-order');
    assert.deepEqual(events[2].data, { reason: 'leave' });
    assert.ok(Math.abs(events[0].ts - Date.now()) < 60_000);
    member.close();
  },

  async 'a server that is killed before the delivery loses no event'({ server, app, x1 }) {
    await app.close();
    await x1.ok('createRoom', demo, { body: { roomName: 'hooks-killed', noEnterTtlS: 3600 } });
    await server.stop('SIGKILL');
    await app.listen();
    await server.start();
    // The killed process cannot say that its rooms are gone; the next one does.
    await app.hear('hooks-killed', 'room_closed');
    assert.deepEqual(app.of('hooks-killed').map((e) => e.event), ['room_created', 'room_closed']);
  },

  async 'dead letters are listed, and sent again in their order'({ server, app, x1 }) {
    const list = (state) => x1.ok('listDeliveries', demo, { query: `?state=${state}&limit=1000` }).then((page) => page.deliveries.filter((d) => d.roomName === 'hooks-dead'));
    // A private address is refused at once, and so is what an app server behind it would have been told.
    await pointTo(x1, 'http://10.0.0.1/rtc/callback');
    const member = await enter(server, 'hooks-dead', 'bob');
    member.say('disconnect');
    const dead = await until('dead letters', () => list('dead'), (found) => found.length === 4);
    for (const letter of dead) assert.match(letter.error, /not allowed/);
    await pointTo(x1, app.url);
    const { queued } = await x1.ok('replayEvents', demo, { body: { dead: true } });
    assert.ok(queued >= 4);
    await app.hear('hooks-dead', 'room_closed');
    assert.deepEqual(app.of('hooks-dead').map((e) => e.event), ['room_created', 'user_joined', 'user_left', 'room_closed']);
    const delivered = await until('delivered', () => list('delivered'), (found) => found.length === 4);
    assert.deepEqual(new Set(delivered.map((d) => d.id)), new Set(dead.map((d) => d.id)));
    assert.deepEqual(await list('dead'), []);
    member.close();
  },
};
