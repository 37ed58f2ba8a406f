// A real server with one mini program's stream, for scripts/bench_rtmp.
// Usage: node bench/rtmp_room.mjs TRACKS WATCHERS [COMMAND...]     (after `npm ci` in tests/e2e; COMMAND goes before the server's)
// Prints where to push as one JSON line, then, when as many tracks have come, where to play; ends with its input.
import { MiniProgram } from '../tests/e2e/lib/mini_program.mjs';
import { Server } from '../tests/e2e/lib/server.mjs';

const [tracks, watchers, ...command] = process.argv.slice(2);
const server = new Server({ command });
const say = (what) => console.log(JSON.stringify(what));
process.stdin.resume().on('end', async () => {
  await server.dispose();
  process.exit(0);
});

try {
  await server.start();
  const watching = await Promise.all(Array.from({ length: Number(watchers) }, (_, i) => new MiniProgram(server, `watcher${i}`).join('fanout')));
  const pusher = await new MiniProgram(server, 'pusher').join('fanout');
  say({ pid: server.child.pid, push: pusher.publishUrl });
  const found = [];
  while (found.length < Number(tracks)) found.push(...(await watching[0].wait('on-add-tracks')).body.tracks);
  say({ rtmp: watching.map((w) => w.playUrl(found)), flv: watching.map((w) => w.flvUrl(found)) });
} catch (error) {
  console.error(String(error));
  await server.dispose();
  process.exit(1);
}
