// Calls of the management API. The official SDK's own signature writes a port twice, so only its parts are used.
import fs from 'node:fs';
import path from 'node:path';
import qiniu from 'qiniu';

/// `body`: sent as JSON when given. The answer's status, headers and parsed body (text when it is no JSON).
export async function call(server, method, target, body) {
  const { accessKey, secretKey } = JSON.parse(fs.readFileSync(path.join(server.dataDir, 'account.json'), 'utf8'));
  const url = `${server.origin}${target}`;
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = { 'Content-Type': 'application/json' };
  const { host, pathname, search } = new URL(url);
  const plain = `${method} ${pathname}${search}\nHost: ${host}\nContent-Type: ${headers['Content-Type']}\n\n${text ?? ''}`;
  headers.Authorization = `Qiniu ${accessKey}:${qiniu.util.base64ToUrlSafe(qiniu.util.hmacSha1(plain, secretKey))}`;
  const response = await fetch(url, { method, headers, body: text });
  const answer = await response.text();
  const isJson = response.headers.get('content-type')?.startsWith('application/json');
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(answer) : answer };
}
