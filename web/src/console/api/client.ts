// The `/x1/` calls, with the types of the server's own OpenAPI file (`npm run types`), signed one by one.
import createClient from 'openapi-fetch';
import type { components, paths } from './contract';
import { authorization, qiniuDate, urlSafeBase64 } from './signing';

export type Schema = components['schemas'];

/** What a page can do something about. */
export type Trouble = 'network' | 'credentials' | 'forbidden' | 'missing' | 'unavailable' | 'blocked' | 'refused' | 'server';

export class ApiError extends Error {
  override readonly name = 'ApiError';
  constructor(
    readonly trouble: Trouble,
    readonly status: number,
    message: string,
    readonly detail = '',
  ) {
    super(message);
  }
}

export function troubleOf(status: number, error: string): Trouble {
  if (status === 401) return 'credentials';
  if (status === 403) return 'forbidden';
  if (status === 429) return 'blocked';
  // A route that this server does not have answers 404; a thing that is not there answers 612.
  if (status === 404 || status === 501) return error === 'not found' || status === 501 ? 'unavailable' : 'missing';
  if (status === 612 || status === 615) return 'missing';
  return status >= 500 && status < 612 ? 'server' : 'refused';
}

export interface Credentials {
  accessKey: string;
  key: CryptoKey;
}

const kResignAboveMs = 60_000;

/** `fetch` that signs. The server's clock counts, not this computer's: it stands in each answer. */
export function signedFetch({ accessKey, key }: Credentials, send: typeof fetch = (input, init) => fetch(input, init), now: () => number = Date.now) {
  let serverAheadMs = 0;
  return async (request: Request): Promise<Response> => {
    const url = new URL(request.url);
    const body = request.body || request.method === 'POST' || request.method === 'PATCH' || request.method === 'PUT' ? await request.clone().text() : '';
    const contentType = request.headers.get('Content-Type') ?? undefined;
    const once = async () => {
      const own = [
        ['X-Qiniu-Date', qiniuDate(now() + serverAheadMs)],
        ['X-Qiniu-Nonce', urlSafeBase64(crypto.getRandomValues(new Uint8Array(18)))],
      ] as const;
      const target = url.pathname + url.search;
      const headers = new Headers(request.headers);
      for (const [name, value] of own) headers.set(name, value);
      headers.set('Authorization', await authorization(accessKey, key, { method: request.method, target, host: url.host, contentType, headers: own, body }));
      const init: RequestInit = { method: request.method, headers, signal: request.signal, cache: 'no-store', credentials: 'omit', redirect: 'error' };
      if (body) init.body = body;
      return send(url.href, init);
    };
    const response = await once();
    if (response.status !== 401) return response;
    const aheadMs = Date.parse(response.headers.get('Date') ?? '') - now();
    if (Number.isNaN(aheadMs) || Math.abs(aheadMs - serverAheadMs) < kResignAboveMs) return response;
    serverAheadMs = aheadMs;
    return once();
  };
}

export function createApi(credentials: Credentials, origin: string, send?: typeof fetch) {
  return createClient<paths>({ baseUrl: origin, fetch: signedFetch(credentials, send) });
}

export type Api = ReturnType<typeof createApi>;

type Sent<T> = Promise<{ data?: T; error?: unknown; response: Response }>;

/** The answer's body; everything else is an `ApiError`. */
export async function answer<T>(sent: Sent<T>): Promise<NonNullable<T>> {
  let got: Awaited<Sent<T>>;
  try {
    got = await sent;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    // A body that is no JSON comes from something between us and the server.
    throw new ApiError('network', 0, error instanceof Error ? error.message : String(error));
  }
  if (got.data !== undefined && got.data !== null) return got.data;
  const body = (typeof got.error === 'object' && got.error ? got.error : {}) as { error?: unknown; detail?: unknown };
  const text = typeof body.error === 'string' ? body.error : '';
  throw new ApiError(troubleOf(got.response.status, text), got.response.status, text, typeof body.detail === 'string' ? body.detail : '');
}
