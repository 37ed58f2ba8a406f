// A small population of `parley bench` against the server: the generator's checks are the assertions.
import assert from 'node:assert/strict';
import { uniqueRoom } from '../lib/members.mjs';
import { population } from '../lib/population.mjs';
import { Server } from '../lib/server.mjs';

const SECONDS = 3;

export const setup = async () => ({ server: await new Server().start() });

export async function teardown({ server }) {
  await server.stop();
}

const bench = ({ server }, args, secret) =>
  population(server, ['--room', uniqueRoom('bench'), '--duration', String(SECONDS), '--settle', '1', ...args], secret);

function assertHealthy({ code, report }, streams) {
  const what = JSON.stringify(report);
  assert.equal(report.failed, 0, what);
  assert.equal(code, 0, what);
  // Every picture that was sent in the time reached every viewer; the edges of the span may cut one off.
  const pictures = report.pictures.decodable;
  assert.ok(pictures >= streams * SECONDS * 30 * 0.8, `${pictures} pictures decodable: ${what}`);
  assert.equal(report.pictures.vanished, 0, what);
  for (const kind of ['not_authentic', 'malformed', 'unknown_ssrc']) assert.equal(report.loss[kind], 0, what);
  assert.equal(report.loss.video_lost, 0, what);
  assert.ok(report.forwarded.audio >= streams * SECONDS * 50 * 0.8, what);
  assert.ok(report.server.cpu_seconds > 0 && report.server.packets_per_cpu_second > 0, what);
}

export const tests = {
  async 'a QNRTC population gets every picture and every packet of sound'(t) {
    assertHealthy(await bench(t, ['--rooms', '2', '--publishers', '2', '--subscribers', '4']), 2 * 2 * 4);
    const metrics = await t.server.metrics();
    const sum = (name, part = '') => [...metrics].filter(([k]) => k.startsWith(name) && k.includes(part)).reduce((a, [, v]) => a + v, 0);
    const padding = sum('parley_media_padding_bytes_total') / sum('parley_media_bytes_total', 'direction="out"');
    assert.ok(padding < 0.01, `padding is ${padding} of what was sent`);
  },
  async 'a WHIP and WHEP population as well'(t) {
    assertHealthy(await bench(t, ['--protocol', 'whip', '--publishers', '2', '--subscribers', '6']), 6);
  },
  async 'a meeting of twelve, everybody with everybody'(t) {
    const { code, report } = await bench(t, ['--mesh', '--publishers', '12', '--subscribers', '0', '--kbps', '300']);
    assertHealthy({ code, report }, 12 * 11);
    assert.equal(report.ready, 12);
  },
  async 'simulcast publishers'(t) {
    assertHealthy(await bench(t, ['--layers', '2', '--subscribers', '4']), 4);
  },
  async 'a population that nobody lets in has failed'(t) {
    const { code, report } = await bench(t, ['--subscribers', '2', '--join-timeout', '2', '--duration', '0.1'], 'not-the-secret-key');
    assert.equal(code, 1);
    assert.equal(report.failed, 3);
    assert.match(report.first_failure, /10001/);
  },
};
