// Qiniu signatures (REST section 2) and room tokens (section 3), made in the browser by WebCrypto. A key is imported once, not
// extractable; nothing here keeps the secret.

const encoder = new TextEncoder();

export interface RequestToSign {
  method: string;
  /** Path with query, exactly as on the request line. */
  target: string;
  host: string;
  contentType?: string;
  /** Only `X-Qiniu-*` headers take part. */
  headers?: readonly (readonly [name: string, value: string])[];
  body?: string;
}

export const canSign = (): boolean => globalThis.crypto?.subtle !== undefined;

export function importSecret(secretKey: string): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', encoder.encode(secretKey), { name: 'HMAC', hash: 'SHA-1' }, false, ['sign']);
}

const canonicalName = (name: string): string => name.toLowerCase().replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());

export function textToSign({ method, target, host, contentType, headers = [], body }: RequestToSign): string {
  let text = `${method.toUpperCase()} ${target}\nHost: ${host}`;
  if (contentType) text += `\nContent-Type: ${contentType}`;
  const prefix = 'X-Qiniu-';
  const own = headers.map(([name, value]) => [canonicalName(name), value] as const).filter(([name]) => name.startsWith(prefix) && name.length > prefix.length);
  own.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  for (const [name, value] of own) text += `\n${name}: ${value}`;
  text += '\n\n';
  return body && contentType && contentType !== 'application/octet-stream' ? text + body : text;
}

export function urlSafeBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')).replace(/\+/g, '-').replace(/\//g, '_');
}

async function sign(key: CryptoKey, text: string): Promise<string> {
  return urlSafeBase64(new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(text))));
}

export async function authorization(accessKey: string, key: CryptoKey, request: RequestToSign): Promise<string> {
  return `Qiniu ${accessKey}:${await sign(key, textToSign(request))}`;
}

/** `20240102T030405Z`. */
export const qiniuDate = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;

export interface TokenClaims {
  appId: string;
  roomName: string;
  userId: string;
  /** Unix seconds. */
  expireAt: number;
  permission: 'admin' | 'user';
}

export async function roomToken(accessKey: string, key: CryptoKey, { appId, roomName, userId, expireAt, permission }: TokenClaims): Promise<string> {
  const payload = urlSafeBase64(encoder.encode(JSON.stringify({ appId, roomName, userId, expireAt, permission })));
  return `${accessKey}:${await sign(key, payload)}:${payload}`;
}
