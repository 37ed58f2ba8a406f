// Installed before the client library is loaded. Two things it does not offer are taken at the browser's own doors:
// it hides its peer connections, which the statistics need, and it reports events to a fixed host of its maker.
// A call through one's own server talks to no other host: reports go to this server's own sink, the rest is refused.

const kForeignHosts = /(^|\.)(qiniuapi|qiniu|qiniup|qnsdk)\.com$/;

const connections = new Set<RTCPeerConnection>();

export function peerConnections(): RTCPeerConnection[] {
  for (const pc of connections) if (pc.connectionState === 'closed') connections.delete(pc);
  return [...connections];
}

/** To this server, as the client library reports; whether it arrives does not matter to the call. */
export function reportEvents(user: { app_id: string; room_name: string; user_id: string }, items: readonly object[]): void {
  fetch('/v1/rtcevent', { method: 'POST', body: JSON.stringify({ user_base: user, items }), keepalive: true }).catch(() => undefined);
}

let installed = false;

export function installNetworkGuards(): void {
  if (installed) return;
  installed = true;

  const Original = window.RTCPeerConnection;
  if (Original) {
    window.RTCPeerConnection = class extends Original {
      constructor(configuration?: RTCConfiguration) {
        super(configuration);
        connections.add(this);
      }
    };
  }

  const originalFetch = window.fetch.bind(window);
  window.fetch = (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const url = new URL(input instanceof Request ? input.url : input, location.href);
    if (!kForeignHosts.test(url.hostname)) return originalFetch(input, init);
    if (url.pathname !== '/v1/rtcevent') return Promise.reject(new TypeError('no other server is asked'));
    return originalFetch('/v1/rtcevent', init).catch(() => new Response(null, { status: 204 }));
  };
}
