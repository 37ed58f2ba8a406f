// The published vectors (REST sections 2.4 and 3.4), made by WebCrypto as the console does.
import { beforeAll, describe, expect, it } from 'vitest';
import { answer, ApiError, createApi, troubleOf } from '../src/console/api/client';
import { authorization, importSecret, qiniuDate, roomToken, type RequestToSign } from '../src/console/api/signing';

const kAccessKey = 'AK-test-0123456789';
const kJson = 'application/json';
const kForm = 'application/x-www-form-urlencoded';
const kDate = ['X-Qiniu-Date', '20240102T030405Z'] as const;
const room = '/v3/apps/desls83s2/rooms/meeting-001';

type Vector = [name: string, request: Omit<RequestToSign, 'host'> & { host?: string }, sign: string];
const vectors: Vector[] = [
  ['A1', { method: 'GET', target: '/v3/apps/desls83s2/rooms?prefix=meeting&offset=0&limit=10', contentType: kJson }, 'Nz0_DbEaRpm7BFzMp04nL273DYg='],
  ['A2', { method: 'POST', target: '/v3/apps', contentType: kJson, body: '{"hub":"myhub","title":"demo","maxUsers":10,"noAutoKickUser":true}' }, 'PGeOtYlMJxgceWurB7M9UUt5_ts='],
  ['A3', { method: 'DELETE', target: `${room}/users/user1`, contentType: kJson }, '3a2NxCFiv3ygGTtKlLnbHlI_-iY='],
  ['A4', { method: 'GET', target: '/v3/apps/desls83s2' }, 'C-52eiQjVTbfvI2mf9ReOG4Fiqc='],
  ['A5', { method: 'GET', target: '/v3/apps/desls83s2', host: '127.0.0.1:8080', contentType: kJson }, '35eCx4kW9lLbL7JJX9FmNgEfN8s='],
  ['A6', { method: 'GET', target: `${room}/users`, headers: [kDate] }, 'xUa6pdEcTeOpHWaWsCo7N1pDbbc='],
  ['A7', { method: 'DELETE', target: room, headers: [kDate] }, '47Mb-rsO-xCGM5oLOJLdx2yjv70='],
  ['A8', { method: 'GET', target: '/v3/apps/desls83s2/rooms?prefix=meeting', contentType: kForm, headers: [kDate] }, 'nDEAX-BljSrR2dDooqd7T7zXDC8='],
  ['A9', { method: 'POST', target: '/v3/apps', contentType: kForm, headers: [kDate], body: 'hub=myhub&title=demo' }, 'bIwVssSLvBi_eaC7mZk-LGdfcwY='],
  ['A10', { method: 'GET', target: '/v3/apps/desls83s2', contentType: kForm }, 'WANsPiGVWUphD-8NBi9OrMzgm8Q='],
  ['A11', { method: 'POST', target: '/v4/apps/desls83s2/rooms/meeting-001/jobs/stop', contentType: kJson, headers: [kDate], body: '{"id":"basic-ulwelrjl12"}' }, 'VRolt5cMg6elFCqAbjUO8bBcPEs='],
  ['A12', { method: 'POST', target: '/v3/apps', contentType: 'application/octet-stream', body: 'left out' }, 'P1TYOfxsUmQvYcis1CSW0xeouro='],
  ['A13', { method: 'POST', target: '/v3/apps', contentType: kJson, headers: [kDate], body: '{"appId":null,"hub":null,"title":"demo","maxUsers":20,"noAutoKickUser":false}' }, 'TmcqDFKGTTtGLmUYuf683vhfSL0='],
  ['A14', { method: 'DELETE', target: `${room}/merge`, contentType: kJson, headers: [kDate] }, 'c0hTaOa7qui0Z3ANYMnRLMXS7fI='],
  ['A15', { method: 'PUT', target: '/x', contentType: kJson, headers: [['x-qiniu-foo', 'bar'], ['X-Qiniu-', 'no name'], ['X-Other', 'no'], kDate], body: '{}' }, 'yju209v9DorbW6oLL7B_NBZwYaM='],
];

let key: CryptoKey;
beforeAll(async () => {
  key = await importSecret('SK-test-abcdefghij');
});

describe('console: signatures', () => {
  it.each(vectors)('vector %s', async (_, request, sign) => {
    expect(await authorization(kAccessKey, key, { host: 'rtc.qiniuapi.com', ...request })).toBe(`Qiniu ${kAccessKey}:${sign}`);
  });

  it('room tokens are vectors B1 and B2', async () => {
    const claims = { appId: 'desls83s2', roomName: 'meeting-001', expireAt: 1700000000 };
    expect(await roomToken(kAccessKey, key, { ...claims, userId: 'user1', permission: 'user' })).toMatch(/^AK-test-0123456789:WxMtDYunyqGALAPG-QZazXP0PaU=:eyJhcHBJZCI6/);
    expect(await roomToken(kAccessKey, key, { ...claims, userId: 'admin1', permission: 'admin' })).toMatch(/^AK-test-0123456789:2MnFGbsG8eoDyAGwfubnYl4EaKg=:eyJhcHBJZCI6/);
  });

  it('the secret cannot be read back', async () => {
    expect(key.extractable).toBe(false);
    await expect(crypto.subtle.exportKey('raw', key)).rejects.toThrow();
  });

  it('writes dates as they are signed', () => expect(qiniuDate(Date.UTC(2024, 0, 2, 3, 4, 5, 678))).toBe('20240102T030405Z'));
});

const reply = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  ({ status, body: typeof body === 'string' ? body : JSON.stringify(body), headers: { 'Content-Type': kJson, ...headers } }) as const;

/** Answers in turn, and remembers what was asked. */
function server(...replies: ReturnType<typeof reply>[]) {
  const seen: { url: string; method: string; headers: Headers; body: string }[] = [];
  const send = async (url: string | URL | Request, init?: RequestInit) => {
    seen.push({ url: String(url), method: init?.method ?? 'GET', headers: new Headers(init?.headers), body: String(init?.body ?? '') });
    const next = replies.shift() ?? reply(599, {});
    return { ok: next.status < 300, status: next.status, headers: new Headers(next.headers), text: async () => next.body, json: async () => JSON.parse(next.body) } as Response;
  };
  return { seen, send: send as typeof fetch };
}

/** What the server does: signs what arrived and compares. */
async function isSigned({ url, method, headers, body }: ReturnType<typeof server>['seen'][number]): Promise<boolean> {
  const at = new URL(url);
  const own = [...headers].filter(([name]) => name.startsWith('x-qiniu-'));
  const wanted = await authorization(kAccessKey, key, { method, target: at.pathname + at.search, host: at.host, contentType: headers.get('Content-Type') ?? undefined, headers: own, body });
  return headers.get('Authorization') === wanted;
}

describe('console: calls', () => {
  const origin = 'https://parley.example:8443';

  it('signs what goes on the line: path, query and body', async () => {
    const { seen, send } = server(reply(200, { rooms: [] }), reply(200, { changed: [] }));
    const api = createApi({ accessKey: kAccessKey, key }, origin, send);
    await answer(api.GET('/x1/apps/{appId}/rooms', { params: { path: { appId: 'demo' }, query: { prefix: 'a b/é', limit: 5 } } }));
    await answer(api.POST('/x1/apps/{appId}/rooms/{room}/mute', { params: { path: { appId: 'demo', room: 'r/../x' } }, body: { muted: true } }));
    expect(seen[0]!.url).toBe(`${origin}/x1/apps/demo/rooms?prefix=a%20b%2F%C3%A9&limit=5`);
    expect(seen[1]!.url).toBe(`${origin}/x1/apps/demo/rooms/r%2F..%2Fx/mute`);
    expect(seen[1]!.body).toBe('{"muted":true}');
    expect(await Promise.all(seen.map(isSigned))).toEqual([true, true]);
    expect(seen[0]!.headers.get('X-Qiniu-Nonce')).toMatch(/^[A-Za-z0-9_-]{16,64}$/);
    expect(seen[0]!.headers.get('X-Qiniu-Nonce')).not.toBe(seen[1]!.headers.get('X-Qiniu-Nonce'));
  });

  it('takes the server’s clock when its own is refused, once', async () => {
    const ahead = new Date(Date.now() + 3_600_000).toUTCString();
    const { seen, send } = server(reply(401, { error: 'bad token' }, { Date: ahead }), reply(200, { uid: 1 }), reply(401, { error: 'bad token' }, { Date: ahead }));
    const api = createApi({ accessKey: kAccessKey, key }, origin, send);
    await answer(api.GET('/x1/account'));
    expect(seen).toHaveLength(2);
    expect(seen[1]!.headers.get('X-Qiniu-Date')! > seen[0]!.headers.get('X-Qiniu-Date')!).toBe(true);
    expect(await Promise.all(seen.map(isSigned))).toEqual([true, true]);
    await expect(answer(api.GET('/x1/account'))).rejects.toMatchObject({ trouble: 'credentials', status: 401 });
    expect(seen).toHaveLength(3);
  });

  it.each([
    [401, 'bad token', 'credentials'],
    [403, 'no permission', 'forbidden'],
    [404, 'not found', 'unavailable'],
    [501, '', 'unavailable'],
    [409, 'conflict', 'refused'],
    [400, 'invalid args', 'refused'],
    [429, 'too many failed requests', 'blocked'],
    [503, 'the store is busy', 'server'],
    [599, 'internal error', 'server'],
    [612, 'room not found', 'missing'],
    [615, 'room not active', 'missing'],
    [616, 'hub not match', 'refused'],
  ])('status %i "%s" is %s', (status, text, trouble) => expect(troubleOf(status, text)).toBe(trouble));

  it('says what failed, also when no server answers or something else does', async () => {
    const api = (send: typeof fetch) => createApi({ accessKey: kAccessKey, key }, origin, send).GET('/x1/account');
    await expect(answer(api(server(reply(400, { error: 'invalid args', detail: 'title' })).send))).rejects.toMatchObject({ message: 'invalid args', detail: 'title' });
    await expect(answer(api((() => Promise.reject(new TypeError('refused'))) as typeof fetch))).rejects.toMatchObject({ trouble: 'network' });
    await expect(answer(api(server(reply(502, '<html>bad gateway</html>')).send))).rejects.toBeInstanceOf(ApiError);
    await expect(answer(api(server(reply(200, '<html>')).send))).rejects.toMatchObject({ trouble: 'network' });
  });
});
