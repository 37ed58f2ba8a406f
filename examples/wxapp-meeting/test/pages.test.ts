// The pages of the demo, rendered in both languages on a made phone, with a scripted gateway and token service.
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Page, Phone, renderPage } from 'parley-fake-wechat';
import { Gateway, roomToken, track, until } from '../../../sdk/wxapp/test/gateway';

const root = path.resolve(import.meta.dirname, '../miniprogram');
const config = JSON.parse(fs.readFileSync(path.join(root, 'app.json'), 'utf8'));

let phone: Phone;
let page: Page | undefined;

beforeEach(() => {
  phone = new Phone({ retryMs: 10_000 });
});
afterEach(() => {
  page?.close();
  page = undefined;
  phone.off();
});

const open = async (name: string, query: Record<string, string> = {}): Promise<Page> => {
  phone.load(path.join(root, 'app.js'));
  page = await renderPage(phone, path.join(root, 'pages', name, 'index'), { root, query });
  return page;
};

describe('the project', () => {
  it('names only files that exist', () => {
    for (const name of config.pages) for (const ext of ['js', 'json', 'wxml', 'wxss']) expect(fs.existsSync(path.join(root, `${name}.${ext}`))).toBe(true);
    expect(fs.existsSync(path.join(root, config.sitemapLocation))).toBe(true);
    const project = JSON.parse(fs.readFileSync(path.join(root, '../project.config.json'), 'utf8'));
    expect(fs.existsSync(path.join(root, '..', project.miniprogramRoot, 'app.json'))).toBe(true);
    expect(fs.existsSync(path.join(root, 'miniprogram_npm/parley-wxapp/parley-call/index.wxml'))).toBe(true);
  });

  it('says everything in both languages', () => {
    const { zh, en } = phone.load(path.join(root, 'shared/words.js'));
    expect(Object.keys(en)).toEqual(Object.keys(zh));
    const component = phone.load(path.join(root, 'miniprogram_npm/parley-wxapp/parley-call/words.js'));
    expect(Object.keys(component.en)).toEqual(Object.keys(component.zh));
    expect(Object.keys(component.en.errors)).toEqual(Object.keys(component.zh.errors));
    const used = new Set(config.pages.flatMap((name: string) => [...fs.readFileSync(path.join(root, `${name}.wxml`), 'utf8').matchAll(/text\.(\w+)/g)].map((m) => m[1])));
    for (const key of used) expect(zh[key as string], `text.${key}`).toBeTruthy();
  });
});

describe('lobby', () => {
  it.each([['zh', '加入会议', 'English'], ['en', 'Join', '中文']])('stands in %s', async (language, join, other) => {
    phone.wx.setStorageSync('language', language);
    const lobby = await open('lobby');
    expect(lobby.one('.join').text).toBe(join);
    expect(lobby.one('.language').text).toBe(other);
    await lobby.tap('.language');
    expect(lobby.one('.join').text).not.toBe(join);
    expect(phone.wx.getStorageSync('language')).not.toBe(language);
  });

  it('checks what was typed, and goes to the call', async () => {
    const lobby = await open('lobby', { room: 'abc-defg-hjk' });
    await lobby.tap('.join');
    expect(lobby.one('.problem').text).toBe('请填写名字');
    await lobby.fire('.name', 'input', { value: ' 王 ' });
    await lobby.fire('.room', 'input', { value: '房间' });
    await lobby.tap('.join');
    expect(lobby.one('.problem').text).toContain('会议号只能用字母');
    await lobby.fire('.room', 'input', { value: 'https://rtc.example.com/r/team?x=1' });
    await lobby.fire('.camera', 'change', { value: false });
    await lobby.tap('.join');
    expect(phone.navigations).toEqual(['/pages/call/index?room=team&name=%E7%8E%8B&camera=0&microphone=1']);
    await lobby.tap('.create');
    expect(phone.navigations[1]).toMatch(/\?room=[a-z]{3}-[a-z]{4}-[a-z]{3}&/);
  });
});

describe('call', () => {
  let gateway: Gateway;
  let server: http.Server;
  const tokens: string[] = [];

  beforeEach(async () => {
    gateway = await new Gateway().start();
    gateway.room = { ...gateway.room, rtmphost: '127.0.0.1:9', players: [{ playerid: 'ann', playerdata: 'Ann' }], tracks: [track('a1', 'ann', 'audio'), track('v1', 'ann', 'video')] };
    tokens.length = 0;
    server = http.createServer((request, response) => {
      tokens.push(request.url!);
      const user = request.url!.split('/').at(-1)!;
      response.end(`${roomToken(user)}\n`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    phone.wx.setStorageSync('origin', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    // Token service and gateway are one server in life; here they are two.
    const { connectSocket } = phone.wx;
    phone.wx.connectSocket = (call: object) => connectSocket({ ...call, url: gateway.url });
  });
  afterEach(() => {
    page?.close();
    page = undefined;
    gateway.stop();
    server.close();
  });

  it.each([['zh', '成员', '挂断'], ['en', 'Members', 'Hang up']])('stands in %s with members and controls', async (language, members, hangUp) => {
    phone.wx.setStorageSync('language', language);
    const call = await open('call', { room: 'team', name: encodeURIComponent('小明'), camera: '0' });
    await until('in the room', () => call.data.members.length === 1);
    expect(tokens[0]).toMatch(/^\/v1\/rtc\/token\/app\/demo\/room\/team\/user\/guest-[a-z]{6}$/);
    expect(gateway.got('auth')[0]).toMatchObject({ playerdata: '小明' });
    expect(call.one('.tab-members').text).toBe(`${members} 2`);
    expect(call.text()).toContain(hangUp);
    call.instance.setData({ panel: 'members' });
    expect(call.one('.members').text).toContain('Ann');
    await until('media elements', () => phone.pusher && phone.players.length === 1);
    expect(phone.pusher!.attributes.enableCamera).toBe(false);
  });

  it('relays and mixes, and lays the mix out again when somebody comes', async () => {
    const call = await open('call', { room: 'team', name: 'Li' });
    await until('in the room', () => call.data.members.length === 1);
    call.instance.setData({ panel: 'live' });
    await call.fire('.relay-url', 'input', { value: 'rtmp://cdn.test/live/a' });
    await call.tap('.relay');
    expect(phone.toasts).toEqual(['还没有推流成功']);
    gateway.say('on-add-local-tracks', { tracks: [track('l1', 'me', 'audio'), track('l2', 'me', 'video')] });
    await until('published', () => call.instance.client().localTracks.length === 2);
    await call.tap('.relay');
    await until('relaying', () => call.data.relaying);
    expect(gateway.got('create-forward-job')[0]).toMatchObject({ publishUrl: 'rtmp://cdn.test/live/a', audioOnly: false, tracks: [{ trackid: 'l2' }, { trackid: 'l1' }] });
    await call.fire('.merge-url', 'input', { value: 'rtmp://cdn.test/live/m' });
    await call.tap('.merge');
    await until('laid out', () => gateway.got('update-merge-tracks').length === 1);
    expect(gateway.got('update-merge-tracks')[0]!.add.map((t: any) => [t.trackid, t.x, t.w])).toEqual([['l2', 0, 320], ['v1', 320, 320], ['l1', undefined, undefined], ['a1', undefined, undefined]]);
    gateway.say('on-player-in', { playerid: 'bob', playerdata: 'Bob' });
    gateway.say('on-add-tracks', { tracks: [track('b1', 'bob', 'video')] });
    await until('laid out again', () => gateway.got('update-merge-tracks').some((m) => m.add.length === 5));
    gateway.refuse = { 'stop-merge': { code: 10053, error: 'no' } };
    await call.tap('.merge');
    await until('told', () => phone.toasts.at(-1) === '操作失败 (10053)');
    await call.tap('.relay');
    await until('stopped', () => gateway.got('stop-forward').length === 1);
  });

  it('says when there is no token, and goes back when the call ends', async () => {
    phone.wx.setStorageSync('origin', 'http://127.0.0.1:9');
    const call = await open('call', { room: 'team', name: 'Li' });
    await until('problem', () => call.one('.problem').text !== '');
    expect(call.one('.problem').text).toContain('拿不到房间凭证');
    expect(phone.pusher).toBeUndefined();
    expect(call.instance.onShareAppMessage()).toEqual({ title: 'Li 邀请你加入会议', path: '/pages/lobby/index?room=team' });
  });

  it('leaves with the button', async () => {
    const call = await open('call', { room: 'team', name: 'Li' });
    await until('in the room', () => call.data.members.length === 1);
    await call.tap('.end');
    await until('back', () => phone.navigations.at(-1) === '..');
    await until('goodbye', () => gateway.got('disconnect').length === 1);
    await until('no media', () => phone.elements.size === 0);
  });
});
