// What most suites run on: a server, a server for the pages of the clients, and Chromium.
import { launchChromium, PageServer } from './browser.mjs';
import { Server } from './server.mjs';

/// `server`: options of the server under test.
export async function openStage(server = {}) {
  return { server: await new Server(server).start(), pages: await new PageServer().start(), browser: await launchChromium() };
}

export async function closeStage({ server, pages, browser }) {
  await browser.close();
  pages.stop();
  await server.dispose();
}
