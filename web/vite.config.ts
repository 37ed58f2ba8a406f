import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vitest/config';

// `npm run dev` serves the pages with hot reload and hands everything else to a running server.
const server = process.env.PARLEY_SERVER ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [vue()],
  build: {
    target: 'es2022',
    // The polyfill would be an extra script for browsers that cannot make calls anyway.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // The client library with what it depends on; loaded only on the way into a call.
    chunkSizeWarningLimit: 600,
  },
  // Imported on the way into a call only; found there, the development server would reload the page.
  optimizeDeps: { include: ['qnweb-rtc', 'qrcode'] },
  server: {
    host: '127.0.0.1',
    port: 5173,
    proxy: { '/v1': server, '/v3': server, '/v4': server },
  },
  test: { include: ['test/**/*.test.ts'], environment: 'node' },
});
