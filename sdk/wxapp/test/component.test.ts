// <parley-call> rendered on a made phone, with a scripted gateway.
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Page, Phone, renderPage } from 'parley-fake-wechat';
import { Gateway, roomToken, track, until } from './gateway';

const component = path.resolve(import.meta.dirname, '../miniprogram_dist/parley-call/index');
const EVENTS = ['joined', 'left', 'error', 'published', 'userschange', 'message', 'statechange'];

let phone: Phone;
let gateway: Gateway;
let page: Page;

beforeEach(async () => {
  phone = new Phone({ retryMs: 10_000 });
  gateway = await new Gateway().start();
  // Nothing listens there: this file is about the page, not about media.
  gateway.room = { ...gateway.room, rtmphost: '127.0.0.1:9' };
});
afterEach(async () => {
  page.close();
  await until('everything gone', () => phone.elements.size === 0 && phone.socketCount === 0);
  expect(phone.listenerCount).toBe(0);
  phone.off();
  gateway.stop();
});

const open = async (properties: object = {}): Promise<void> => {
  page = await renderPage(phone, component, { properties: { server: gateway.url, token: roomToken('me'), userData: 'Me', ...properties }, events: EVENTS });
};

const users = (n: number): object => ({
  players: Array.from({ length: n }, (_, i) => ({ playerid: `u${i}`, playerdata: `用户${i}` })),
  tracks: Array.from({ length: n }, (_, i) => [track(`a${i}`, `u${i}`, 'audio'), track(`v${i}`, `u${i}`, 'video')]).flat(),
});

it('joins, pushes, plays everybody, and shows names', async () => {
  gateway.room = { ...gateway.room, ...users(2) };
  await open();
  await until('players', () => phone.players.length === 2);
  expect(phone.pusher!.attributes).toMatchObject({ url: 'rtmp://127.0.0.1:9/?rtmptoken=tok1&playerid=me', mode: 'RTC', autopush: true, muted: false, enableCamera: true });
  expect(phone.player('parley-player-u1')!.attributes).toMatchObject({ src: 'rtmp://127.0.0.1:9/?rtmptoken=tok1&trackid=v1&trackid=a1&playerid=u1', mode: 'RTC', autoplay: true });
  expect(page.text()).toContain('用户0');
  expect(page.events.find((e) => e.name === 'joined')!.detail).toEqual({ userID: 'me', roomName: 'room' });
});

it('lays out up to 12 pictures and no more', async () => {
  gateway.room = { ...gateway.room, ...users(14) };
  await open();
  await until('eleven players', () => phone.players.length === 11);
  expect(page.all('.tile').length).toBe(12);
  expect(page.data.columns).toBe(3);
  expect(page.data.members.length).toBe(14);
});

it('hears everybody by one player, and sees them by silent ones', async () => {
  const { players, tracks } = users(2) as { players: object[]; tracks: object[] };
  gateway.room = { ...gateway.room, players: [...players, { playerid: 'u9', playerdata: '只有声音' }], tracks: [...tracks, track('a9', 'u9', 'audio')] };
  await open({ mixedAudio: true });
  await until('players', () => phone.players.length === 3);
  expect(phone.player('parley-mixed')!.attributes).toMatchObject({ src: 'rtmp://127.0.0.1:9/?rtmptoken=tok1&mix=audio', mode: 'RTC', autoplay: true, muted: false });
  expect(phone.player('parley-player-u1')!.attributes).toMatchObject({ src: 'rtmp://127.0.0.1:9/?rtmptoken=tok1&trackid=v1&playerid=u1', muted: true });
  expect(phone.player('parley-player-u9')).toBeUndefined();
  expect(page.all('.tile').length).toBe(4);
  expect(page.text()).toContain('只有声音');
  gateway.say('on-remove-tracks', { tracks: [track('v0', 'u0', 'video')] });
  await until('one picture less', () => phone.players.length === 2);
  expect(page.all('.tile').length).toBe(4);
});

it('mutes for the room and for the pusher', async () => {
  await open();
  await until('pusher', () => phone.pusher);
  gateway.say('on-add-local-tracks', { tracks: [track('l1', 'me', 'audio'), track('l2', 'me', 'video')] });
  await until('published', () => page.events.some((e) => e.name === 'published'));
  await page.tap('.mic');
  await until('told', () => gateway.got('mute-tracks').some((m) => m.tracks[0].trackid === 'l1' && m.tracks[0].muted));
  expect(phone.pusher!.attributes.muted).toBe(true);
  await page.tap('.camera');
  await until('told', () => gateway.got('mute-tracks').some((m) => m.tracks[0].trackid === 'l2' && m.tracks[0].muted));
  expect(phone.pusher!.attributes.enableCamera).toBe(false);
  expect(page.text()).toContain('麦克风 关');
});

it('changes beauty and whiteness, and switches the camera', async () => {
  await open({ beauty: 3 });
  await until('pusher', () => phone.pusher);
  expect(phone.pusher!.attributes.beauty).toBe(3);
  page.instance.setData({ panel: 'beauty' });
  await page.fire('.smooth', 'change', { value: 7 });
  await page.fire('.white', 'change', { value: 2 });
  expect(phone.pusher!.attributes).toMatchObject({ beauty: 7, whiteness: 2 });
  const before = phone.pusher!.size;
  await page.tap('.flip');
  expect(phone.pusher!.size).toEqual({ width: before.height, height: before.width });
});

it('chats', async () => {
  gateway.room = { ...gateway.room, ...users(1) };
  await open();
  await until('joined', () => page.events.some((e) => e.name === 'userschange'));
  gateway.say('on-messages', { messages: [{ msgid: 'm', playerid: 'u0', type: 'normal', text: '你好', msgts: 1, msgsn: 1 }] });
  await until('unread', () => page.data.unread === 1);
  page.instance.openPanel({ currentTarget: { dataset: { panel: 'chat' } } });
  expect(page.text()).toContain('你好');
  expect(page.data.unread).toBe(0);
  await page.fire('.draft', 'input', { value: '再见' });
  await page.tap('.send');
  await until('sent', () => gateway.got('send-message')[0]?.text === '再见');
  await until('shown', () => page.text().includes('再见'));
  expect(page.data.draft).toBe('');
});

it('follows people who come, publish late and go', async () => {
  await open();
  await until('joined', () => page.events.some((e) => e.name === 'joined'));
  gateway.say('on-player-in', { playerid: 'bob', playerdata: 'Bob' });
  gateway.say('on-add-tracks', { tracks: [track('b1', 'bob', 'video')] });
  await until('picture', () => phone.player('parley-player-bob')?.attributes.src.endsWith('trackid=b1&playerid=bob'));
  gateway.say('on-add-tracks', { tracks: [track('b2', 'bob', 'audio')] });
  await until('with sound', () => phone.player('parley-player-bob')?.attributes.src.endsWith('trackid=b1&trackid=b2&playerid=bob'));
  gateway.say('mute-tracks', { tracks: [{ trackid: 'b1', muted: true }] });
  await until('cover', () => page.all('.cover').length === 1);
  gateway.say('on-remove-tracks', { tracks: [track('b1', 'bob', 'video'), track('b2', 'bob', 'audio')] });
  gateway.say('on-player-out', { playerid: 'bob' });
  await until('gone', () => phone.players.length === 0 && page.data.members.length === 0);
});

it('says what went wrong, in both languages, and can be left', async () => {
  await open({ language: 'en' });
  await until('joined', () => page.events.some((e) => e.name === 'joined'));
  expect(page.text()).toContain('Hang up');
  gateway.say('disconnect', { code: 10006, error: 'kicked' });
  await until('notice', () => page.text().includes('You were removed from the room (10006)'));
  expect(page.events.find((e) => e.name === 'error')!.detail).toMatchObject({ code: 10006, reason: 'KICKED_OUT' });
  expect(phone.pusher).toBeUndefined();
  page.instance.setData({ language: 'zh' });
  await page.instance.enter();
  await until('in again', () => phone.pusher);
  await page.tap('.end');
  await until('left', () => page.events.some((e) => e.name === 'left'));
  await until('goodbye', () => gateway.got('disconnect').length === 1);
});
