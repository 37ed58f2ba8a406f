// Events reach an app server that checks them with the official SDK: in order, at least once, whoever dies.
import assert from 'node:assert/strict';
import qiniu from 'qiniu';
import { createReceiver } from '../../../examples/webhook-receiver/receiver.mjs';
import { until } from '../lib/browser.mjs';
import { call } from '../lib/management.mjs';
import { makeNetwork } from '../lib/network.mjs';
import { Server } from '../lib/server.mjs';
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

const pointTo = async (server, url) => {
  const answer = await call(server, 'POST', '/v3/apps/demo', { eventCbUrl: url, eventCbSecret: SECRET, eventCbVersion: 1 });
  assert.equal(answer.status, 200);
};

export async function setup() {
  makeNetwork();
  const server = new Server({ config: '[gate]\nallow = ["127.0.0.1"]\n[app]\nauto_close_ttl_s = 0\n' });
  await server.start();
  const app = await new AppServer().listen();
  await pointTo(server, app.url);
  return { server, app };
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

  async 'a server that is killed before the delivery loses no event'({ server, app }) {
    await app.close();
    const made = await call(server, 'POST', '/v3/apps/demo/createroom', { roomName: 'hooks-killed', noEntreTtlS: 3600 });
    assert.equal(made.status, 200);
    await server.stop('SIGKILL');
    await app.listen();
    await server.start();
    // The killed process cannot say that its rooms are gone; the next one does.
    await app.hear('hooks-killed', 'room_closed');
    assert.deepEqual(app.of('hooks-killed').map((e) => e.event), ['room_created', 'room_closed']);
  },
};
