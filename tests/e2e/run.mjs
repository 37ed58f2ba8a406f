// Runs the end-to-end tests one after another. Usage: node run.mjs [--json FILE] [--list] [NAME-PART ...]
// Suites that export `namespace` run in a network namespace of their own, where they may cut what they like.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const args = process.argv.slice(2);
const jsonAt = args.indexOf('--json');
const jsonFile = jsonAt >= 0 ? args.splice(jsonAt, 2)[1] : undefined;
const listOnly = args.includes('--list');
const insideAt = args.indexOf('--inside');
const inside = insideAt >= 0 ? args.splice(insideAt, 2)[1] : undefined;
const wanted = args.filter((a) => !a.startsWith('--'));

const folder = path.join(import.meta.dirname, 'tests');
const results = [];
const LIMIT_MS = 120_000;

export function withLimit(promise, ms, what) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not done within ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

for (const file of fs.readdirSync(folder).filter((f) => f.endsWith('.test.mjs')).sort()) {
  const suite = await import(path.join(folder, file));
  const cases = Object.entries(suite.tests).filter(([name]) => !wanted.length || wanted.some((w) => `${file} ${name}`.includes(w)));
  if (!cases.length) continue;
  if (listOnly) {
    for (const [name] of cases) console.log(`${file}: ${name}`);
    continue;
  }
  if (inside && inside !== file) continue;
  if (suite.namespace && !inside) {
    const report = path.join(os.tmpdir(), `parley-e2e-${process.pid}.json`);
    const enter = process.getuid() === 0 ? ['-n'] : ['-Urn'];
    const command = [...enter, process.execPath, import.meta.filename, '--inside', file, '--json', report, ...wanted];
    const ran = spawnSync('unshare', command, { stdio: 'inherit', timeout: 600_000 });
    try {
      results.push(...JSON.parse(fs.readFileSync(report, 'utf8')).results);
    } catch {
      for (const [name] of cases) results.push({ name: `${file}: ${name}`, ok: false, error: `namespace: ${ran.error ?? `exit ${ran.status}`}` });
      console.log(`not ok ${file} (namespace): ${ran.error ?? `exit ${ran.status}`}`);
    }
    fs.rmSync(report, { force: true });
    continue;
  }
  let context;
  try {
    context = await withLimit(suite.setup?.() ?? Promise.resolve({}), LIMIT_MS, 'setup');
  } catch (error) {
    for (const [name] of cases) results.push({ name: `${file}: ${name}`, ok: false, error: `setup: ${error.stack}` });
    console.log(`not ok ${file} (setup)\n${error.stack}`);
    continue;
  }
  for (const [name, body] of cases) {
    const started = Date.now();
    const result = { name: `${file}: ${name}`, ok: true };
    try {
      await withLimit(body(context), suite.limitMs ?? LIMIT_MS, name);
      await suite.afterEach?.(context);
    } catch (error) {
      result.ok = false;
      result.error = error.stack ?? String(error);
    }
    // What a failed case left behind would take the machine from the next ones.
    if (!result.ok) await suite.cleanUp?.(context);
    if (!result.ok && !suite.cleanUp) await Promise.all((context.browser?.contexts?.() ?? []).map((c) => c.close().catch(() => {})));
    result.seconds = (Date.now() - started) / 1000;
    results.push(result);
    console.log(`${result.ok ? 'ok' : 'not ok'} ${result.name} (${result.seconds.toFixed(1)} s)${result.ok ? '' : `\n${result.error}`}`);
    if (!result.ok && context.server) console.log(`server log, end:\n${context.server.log.slice(-3000)}`);
  }
  await withLimit(suite.teardown?.(context) ?? Promise.resolve(), 30_000, 'teardown').catch((e) => console.log(`teardown: ${e.message}`));
}

if (inside) {
  fs.writeFileSync(jsonFile, JSON.stringify({ results }));
  process.exit(0);
}
const slowest = [...results].filter((r) => r.seconds).sort((x, y) => y.seconds - x.seconds).slice(0, 8);
if (slowest.length) console.log(`slowest: ${slowest.map((r) => `${r.name.split(': ').at(-1).slice(0, 40)} ${r.seconds.toFixed(0)} s`).join('; ')}`);
const failed = results.filter((r) => !r.ok).length;
if (jsonFile) fs.writeFileSync(jsonFile, JSON.stringify({ passed: results.length - failed, failed, results }, null, 1));
console.log(`${results.length - failed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
