// Foreign RTMP peers for the tests: ffmpeg listens, either to be pushed to or to be pulled from.
import { type ChildProcess, spawn } from 'node:child_process';
import http from 'node:http';
import net from 'node:net';
import type { AddressInfo } from 'node:net';

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export async function until<T>(what: string, read: () => T, timeoutMs = 40_000): Promise<NonNullable<T>> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = read();
    if (value !== undefined && value !== null && value !== false) return value as NonNullable<T>;
    if (Date.now() > end) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Waits until somebody listens on `port`, from /proc: connecting would use up a listener that takes one peer only. */
async function listening(port: number): Promise<void> {
  const { readFileSync } = await import('node:fs');
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  await until(`port ${port}`, () => readFileSync('/proc/net/tcp', 'utf8').split('\n').some((l) => l.includes(wanted) && l.includes(' 0A ')));
}

const children = new Set<ChildProcess>();
function ffmpeg(args: string[]): ChildProcess & { stdout: NodeJS.ReadableStream } {
  const child = spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  child.on('close', () => children.delete(child));
  return child as never;
}
export const stopPeers = (): void => {
  for (const child of children) child.kill('SIGKILL');
};

/** ffmpeg takes a push and hands the stream on as HTTP-FLV, without touching the media. */
export async function pushTarget(): Promise<{ rtmp: string; flv: string; child: ChildProcess; close(): void }> {
  const port = await freePort();
  const child = ffmpeg(['-fflags', 'nobuffer', '-analyzeduration', '1500000', '-listen', '1', '-i', `rtmp://127.0.0.1:${port}/live/x`, '-c', 'copy', '-flush_packets', '1', '-f', 'flv', 'pipe:1']);
  const server = http.createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'video/x-flv' });
    child.stdout.pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  await listening(port);
  return {
    rtmp: `rtmp://127.0.0.1:${port}/live/x`, flv: `http://127.0.0.1:${(server.address() as AddressInfo).port}/rtc.flv`, child,
    close() {
      child.kill('SIGKILL');
      server.closeAllConnections();
      server.close();
    },
  };
}

/** ffmpeg serves a made stream to one RTMP player. */
export async function pullSource(input: string[]): Promise<{ rtmp: string; child: ChildProcess }> {
  const port = await freePort();
  const url = `rtmp://127.0.0.1:${port}/live/y`;
  const child = ffmpeg([...input, '-flush_packets', '1', '-f', 'flv', '-listen', '1', url]);
  await listening(port);
  return { rtmp: url, child };
}
