// Imported before the client library, so that it sees the wrapped browser objects.
import { collectPeerConnections } from './probe.js';

collectPeerConnections();
window.sockets = [];
/// Every signalling message: {to: 'server' | 'client', name, body, at}.
window.wire = [];
/// Tests set these to change or drop (null) a message on its way.
window.rewriteOut = undefined;

function note(to, text) {
  const cut = text.indexOf('=');
  const entry = { to, name: text.slice(0, cut), body: JSON.parse(text.slice(cut + 1)), at: Date.now() };
  window.wire.push(entry);
  if (window.wire.length > 2000) window.wire.shift();
  return entry;
}

const OriginalSocket = window.WebSocket;
window.WebSocket = class extends OriginalSocket {
  constructor(url, ...rest) {
    // Tests cut the network for a while: a port that nothing listens on refuses the connection.
    super(window.networkCut ? 'ws://127.0.0.1:1/' : url, ...rest);
    window.sockets.push(this);
    this.addEventListener('message', (e) => note('client', e.data));
  }
  send(text) {
    const entry = note('server', text);
    if (!window.rewriteOut) return super.send(text);
    const body = window.rewriteOut(entry.name, entry.body);
    if (body) super.send(`${entry.name}=${JSON.stringify(body)}`);
  }
};
/// As if the server had said it.
window.hear = (name, body) => window.sockets.at(-1).dispatchEvent(new MessageEvent('message', { data: `${name}=${JSON.stringify(body)}` }));
