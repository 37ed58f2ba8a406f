// Takes events, as an app server would: checks the signature, answers at once, and sees each event once.
import http from 'node:http';

const MAX_BODY = 1024 * 1024;

/// `qiniu`: the official server SDK. `secretOf(appId)`: the app's eventCbSecret, or undefined. `onEvent(event)` may
/// return a promise; when it fails, the event comes again. Returns an http.Server to be told where to listen.
export function createReceiver(qiniu, { secretOf, onEvent }) {
  const seen = new Set();  // a real one keeps these ids where it keeps what the events change

  const isGenuine = (request, body) => {
    const { host, authorization = '', 'content-type': type } = request.headers;
    const appId = /^Qiniu ([^:]+):/.exec(authorization)?.[1];
    const secret = appId && secretOf(appId);
    if (!secret) return false;
    const mac = new qiniu.auth.digest.Mac(appId, secret);
    if (!host.includes(':')) {
      return qiniu.util.isQiniuCallback(mac, `http://${host}${request.url}`, body, authorization, { reqMethod: request.method, reqContentType: type });
    }
    // The SDK (7.15.2) writes a port into the signed text twice; with one, its parts have to do.
    const text = `${request.method} ${request.url}\nHost: ${host}\nContent-Type: ${type}\n\n${body}`;
    const sign = qiniu.util.base64ToUrlSafe(qiniu.util.hmacSha1(text, secret));
    return authorization === `Qiniu ${appId}:${sign}`;
  };

  return http.createServer(async (request, response) => {
    const answer = (status, value) => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    try {
      if (request.method !== 'POST') return answer(405, { error: 'POST only' });
      const chunks = [];
      let size = 0;
      for await (const chunk of request) {
        size += chunk.length;
        if (size > MAX_BODY) return answer(413, { error: 'too large' });
        chunks.push(chunk);
      }
      const body = Buffer.concat(chunks).toString('utf8');
      if (!isGenuine(request, body)) return answer(401, { error: 'bad signature' });
      const event = JSON.parse(body);
      // At least once means: sometimes twice, with the same id.
      if (!seen.has(event.id)) {
        await onEvent(event);
        seen.add(event.id);
      }
      return answer(200, {});
    } catch (error) {
      return answer(500, { error: String(error.message ?? error) });
    }
  });
}
