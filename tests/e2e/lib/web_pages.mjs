// What the tests of the server's own pages share.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from './server.mjs';

export const desktop = { width: 1280, height: 800 };
export const phone = { width: 390, height: 844 };

/** `scripts/test web` builds the pages; alone, these tests do. */
export function buildPages() {
  const web = path.join(root, 'web');
  if (fs.existsSync(path.join(web, 'dist/console.html'))) return;
  for (const args of [['ci', '--no-fund', '--no-audit'], ['run', '--silent', 'build']]) execFileSync('npm', args, { cwd: web, stdio: 'pipe' });
}

/** What a screen reader has nothing to say about, and what points out of the page. */
export const accessibilityFaults = (page) =>
  page.evaluate(() => {
    const faults = [];
    const visible = (e) => e.getClientRects().length > 0;
    const text = (e) => (e.getAttribute('aria-label') ?? '') || (e.textContent ?? '').trim() || e.title;
    for (const e of document.querySelectorAll('button, a[href], [role=meter], [role=img], dialog')) if (visible(e) && !text(e)) faults.push(`no name: ${e.outerHTML.slice(0, 120)}`);
    for (const e of document.querySelectorAll('input, select, textarea')) if (visible(e) && !e.labels?.length && !e.getAttribute('aria-label')) faults.push(`no label: ${e.id}`);
    for (const e of document.querySelectorAll('img')) if (!e.hasAttribute('alt')) faults.push(`no alt: ${e.src.slice(0, 60)}`);
    for (const e of document.querySelectorAll('[tabindex]')) if (e.tabIndex > 0) faults.push(`tabindex ${e.tabIndex}`);
    const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
    for (const id of new Set(ids.filter((x, i) => ids.indexOf(x) !== i))) faults.push(`id twice: ${id}`);
    if (!document.documentElement.lang) faults.push('no language');
    if (document.documentElement.scrollWidth > innerWidth) faults.push(`wider than the window: ${document.documentElement.scrollWidth}`);
    return faults;
  });
