// Starts and stops a real parley server on free ports and a fresh data directory.
import { spawn, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

export const root = path.resolve(import.meta.dirname, '../../..');

export function binary() {
  const wanted = process.env.PARLEY_BINARY;
  if (wanted) return wanted;
  for (const preset of ['release', 'dev']) {
    const file = path.join(root, 'build', preset, 'src/cli/parley');
    if (fs.existsSync(file)) return file;
  }
  throw new Error('no parley binary: build it first, or set PARLEY_BINARY');
}

export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/// The first of `count` free ports in a row.
async function freePorts(count) {
  for (;;) {
    const first = await freePort();
    const rest = await Promise.all(Array.from({ length: count - 1 }, (_, i) => new Promise((resolve) => {
      const probe = net.createServer().on('error', () => resolve(false));
      probe.listen(first + 1 + i, '127.0.0.1', () => probe.close(() => resolve(true)));
    })));
    if (rest.every(Boolean)) return first;
  }
}

export class Server {
  constructor(options = {}) {
    this.options = options;
    this.log = '';
  }

  async start() {
    this.port ??= await freePort();
    this.tlsPort ??= await freePort();
    this.mediaPort ??= await freePorts(this.options.workers ?? 1);
    this.rtmpPort ??= await freePort();
    this.rtmpsPort ??= await freePort();
    this.dataDir ??= fs.mkdtempSync(path.join(os.tmpdir(), 'parley-e2e-'));
    const config = [
      `data_dir = "${this.dataDir}"`,
      '[http]',
      `port = ${this.port}`,
      `tls_port = ${this.tlsPort}`,
      '[media]',
      `port_base = ${this.mediaPort}`,
      `workers = ${this.options.workers ?? 1}`,
      '[rtmp]',
      `port = ${this.rtmpPort}`,
      `tls_port = ${this.rtmpsPort}`,
      this.options.config ?? '',
    ].join('\n');
    this.configFile = path.join(this.dataDir, 'parley.toml');
    fs.writeFileSync(this.configFile, config);
    const command = this.options.command ?? [];
    const args = [...command.slice(1), ...(command.length ? [binary()] : []), 'serve', '--dev', '--config', this.configFile];
    this.child = spawn(command[0] ?? binary(), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.exited = new Promise((resolve) => this.child.on('exit', (code, signal) => resolve({ code, signal })));
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.on('data', (d) => { this.log = (this.log + d).slice(-200_000); });
    }
    for (let i = 0; i < 150; ++i) {
      if (this.child.exitCode !== null) throw new Error(`parley ended at start:\n${this.log}`);
      try {
        const res = await fetch(`${this.origin}/readyz`);
        if (res.ok) return this;
      } catch { /* not listening yet */ }
      await delay(100);
    }
    throw new Error(`parley did not become ready:\n${this.log}`);
  }

  get host() { return this.options.host ?? '127.0.0.1'; }
  get origin() { return `http://${this.host}:${this.port}`; }

  async token(room, user, { admin = false, app = 'demo' } = {}) {
    const kind = admin ? 'token/admin' : 'token';
    const res = await fetch(`${this.origin}/v1/rtc/${kind}/app/${app}/room/${room}/user/${user}`);
    if (!res.ok) throw new Error(`token service answered ${res.status}`);
    return (await res.text()).trim();
  }

  cli(...args) {
    return execFileSync(binary(), args, { encoding: 'utf8' });
  }

  async metrics() {
    const text = await (await fetch(`${this.origin}/metrics`)).text();
    const out = new Map();
    for (const line of text.split('\n')) {
      if (!line || line.startsWith('#')) continue;
      const cut = line.lastIndexOf(' ');
      out.set(line.slice(0, cut), Number(line.slice(cut + 1)));
    }
    return out;
  }

  /// Memory of the process.
  residentKb() {
    return Number(/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${this.child.pid}/status`, 'utf8'))[1]);
  }

  async stop(signal = 'SIGTERM') {
    if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill(signal);
    const kill = setTimeout(() => this.child.kill('SIGKILL'), 15_000);
    await this.exited;
    clearTimeout(kill);
  }

  /// Ends the server and takes its data away.
  async dispose() {
    await this.stop('SIGKILL');
    if (this.dataDir) fs.rmSync(this.dataDir, { recursive: true, force: true });
  }
}
