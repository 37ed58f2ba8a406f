// Imported before the client library, so that it sees the wrapped browser objects.
import { collectPeerConnections } from './probe.js';

collectPeerConnections();
const OriginalSocket = window.WebSocket;
window.sockets = [];
window.WebSocket = class extends OriginalSocket {
  constructor(...args) {
    super(...args);
    window.sockets.push(this);
  }
};
