import vue from '@vitejs/plugin-vue';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

// `npm run dev` serves the pages with hot reload and hands everything else to a running server.
const server = process.env.PARLEY_SERVER ?? 'http://127.0.0.1:8080';

/** As the server does it: the console reads its own path. */
const consolePaths: Plugin = {
  name: 'console-paths',
  configureServer: (dev) =>
    void dev.middlewares.use((request, _, next) => {
      if (/^\/console(\/|\?|$)/.test(request.url ?? '')) request.url = '/console.html';
      next();
    }),
};

/** What both pages have in their heads. */
const sharedHead: Plugin = {
  name: 'shared-head',
  transformIndexHtml: () => [
    { tag: 'meta', attrs: { name: 'viewport', content: 'width=device-width, initial-scale=1, viewport-fit=cover' } },
    { tag: 'meta', attrs: { name: 'color-scheme', content: 'light dark' } },
    { tag: 'meta', attrs: { name: 'theme-color', content: '#f6f4ef', media: '(prefers-color-scheme: light)' } },
    { tag: 'meta', attrs: { name: 'theme-color', content: '#0f1513', media: '(prefers-color-scheme: dark)' } },
    { tag: 'meta', attrs: { name: 'referrer', content: 'no-referrer' } },
    { tag: 'link', attrs: { rel: 'icon', href: '/favicon.svg', type: 'image/svg+xml' } },
  ].map((one) => ({ ...one, injectTo: 'head' as const })),
};

export default defineConfig({
  plugins: [vue(), consolePaths, sharedHead],
  build: {
    target: 'es2022',
    // The polyfill would be an extra script for browsers that cannot make calls anyway.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // The client library with what it depends on; loaded only on the way into a call.
    chunkSizeWarningLimit: 600,
    // Two pages that share what they have in common, so that a call never loads the console.
    rolldownOptions: { input: ['index.html', 'console.html'] },
  },
  // Imported on the way into a call only; found there, the development server would reload the page.
  optimizeDeps: { include: ['qnweb-rtc', 'qrcode'] },
  server: {
    host: '127.0.0.1',
    port: 5173,
    // A signed request names the host that it was made for.
    proxy: { '/v1': server, '/v3': server, '/v4': server, '/x1': { target: server, changeOrigin: false } },
  },
  test: { include: ['test/**/*.test.ts'], environment: 'node' },
});
