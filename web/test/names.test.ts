import { describe, expect, it } from 'vitest';
import {
  cleanDisplayName, initials, isLoopbackHost, inviteLink, isRoomName, isUserId, placeFromLocation, randomRoomName, roomFromInput, userIdFrom,
} from '../src/logic/names';
import { readToken } from '../src/logic/token';
import { linkPieces } from '../src/logic/linkify';

describe('names', () => {
  it('accepts what the client library accepts', () => {
    for (const good of ['a', 'abc-defg-hjk', 'A_b-9', 'x'.repeat(64)]) expect(isRoomName(good)).toBe(true);
    for (const bad of ['', 'x'.repeat(65), 'a b', 'é', '房间', 'a/b', 'a.b', ' a', 'a\n']) expect(isRoomName(bad)).toBe(false);
    expect(isUserId('x'.repeat(50))).toBe(true);
    expect(isUserId('x'.repeat(51))).toBe(false);
  });

  it('derives a valid user id from any display name', () => {
    for (const name of ['Ada Lovelace', '王小明', '🙂', '', '  ', '-', 'José Ñandú', 'x'.repeat(300), '../../etc', '<b>']) {
      const id = userIdFrom(name, 'k3x9qa');
      expect(isUserId(id), id).toBe(true);
      expect(id.endsWith('-k3x9qa')).toBe(true);
    }
    expect(userIdFrom('Ada Lovelace', 'abc')).toBe('ada-lovelace-abc');
    expect(userIdFrom('José', 'abc')).toBe('jose-abc');
    expect(userIdFrom('王小明', 'abc')).toBe('guest-abc');
  });

  it('makes display names one bounded line', () => {
    expect(cleanDisplayName('  Ada\n\tL\u202e. ')).toBe('Ada L .');
    expect([...cleanDisplayName('🙂'.repeat(99))]).toHaveLength(40);
    expect(cleanDisplayName('\u0000\u0007')).toBe('');
  });

  it('suggests room names that are valid and differ', () => {
    let seed = 1;
    const random = (below: number) => (seed = (seed * 48271) % 2147483647) % below;
    const names = new Set(Array.from({ length: 200 }, () => randomRoomName(random)));
    expect(names.size).toBe(200);
    for (const n of names) expect(isRoomName(n)).toBe(true);
  });

  it('takes an invitation link where a room name is asked', () => {
    expect(roomFromInput(' https://call.example/r/abc-1?x=1#t ')).toBe('abc-1');
    expect(roomFromInput(inviteLink('https://h', 'my_room'))).toBe('my_room');
    expect(roomFromInput('team call')).toBe('team-call');
  });

  it('reads the address', () => {
    expect(placeFromLocation('/r/abc', '?admin=1&mock=99', '#token=a:b+c:d==')).toEqual({ room: 'abc', token: 'a:b+c:d==', admin: true, mock: 12 });
    expect(placeFromLocation('/call', '?room=x1', '')).toMatchObject({ room: 'x1', admin: false, token: '' });
    expect(placeFromLocation('/r/%E6%88%BF', '', '').room).toBe('');
    expect(placeFromLocation('/r/%', '', '').room).toBe('');
    expect(placeFromLocation('/', '', '').room).toBe('');
  });

  it('shortens names for people without a picture', () => {
    expect([initials('Ada Lovelace'), initials('王小明'), initials('bob'), initials(''), initials('guest-1')]).toEqual(['AL', '小明', 'B', '?', 'G1']);
  });
});

describe('links for others', () => {
  it('know which hosts only this computer reaches', () => {
    for (const host of ['localhost', 'LOCALHOST', 'a.localhost', '127.0.0.1', '127.1.2.3', '[::1]', '::1']) expect(isLoopbackHost(host)).toBe(true);
    for (const host of ['127.0.0.1.example.org', 'localhost.example', '192.0.2.2', '[::2]', 'rtc.example.org', '']) expect(isLoopbackHost(host)).toBe(false);
  });
});

describe('room token', () => {
  const claims = { appId: 'demo', roomName: 'r1', userId: 'u1', expireAt: 5, permission: 'admin' };
  it('is read from its third part', () => {
    expect(readToken(`ak:sign:${btoa(JSON.stringify(claims))}`)).toEqual(claims);
  });
  it('is refused when it is anything else', () => {
    for (const bad of ['', 'a', 'a:b', 'a:b:c', 'a:b:!!!', `a:b:${btoa('[]')}`, `a:b:${btoa('{"roomName":1}')}`, `a:b:${btoa('null')}`]) {
      expect(readToken(bad)).toBeNull();
    }
  });
});

describe('links in chat', () => {
  it('splits text without losing a character', () => {
    for (const text of ['', 'plain', 'see https://a.example/x?y=1.', '(https://a.example)', 'a http://b c https://d', '看 https://a.example/页，好']) {
      expect(linkPieces(text).map((p) => p.text).join('')).toBe(text);
    }
  });
  it('links only http and https', () => {
    expect(linkPieces('javascript:alert(1) data:text/html,x ftp://a').some((p) => p.href)).toBe(false);
    expect(linkPieces('go to https://a.example/b, now')[1]).toEqual({ text: 'https://a.example/b', href: 'https://a.example/b' });
    expect(linkPieces('<a href="https://a.example">x</a>')[1]?.text).toBe('https://a.example');
  });
});
