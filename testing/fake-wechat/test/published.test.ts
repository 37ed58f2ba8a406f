// The published mini-program package, unmodified, in the stand-in.
import type { AddressInfo } from 'node:net';
import { createRequire } from 'node:module';
import { WebSocketServer } from 'ws';
import { expect, it } from 'vitest';
import { Phone } from '../src/index';
import { until } from './peers';

it('pili-rtc-wxapp 1.0.0-beta.0 joins, gives addresses and hears events', async () => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await new Promise((resolve) => server.on('listening', resolve));
  const got: [string, any][] = [];
  let say: (name: string, body: object) => void = () => {};
  server.on('connection', (socket) => {
    say = (name, body) => socket.send(`${name}=${JSON.stringify(body)}`);
    socket.on('message', (data) => {
      const text = data.toString();
      const body = JSON.parse(text.slice(text.indexOf('=') + 1));
      got.push([text.slice(0, text.indexOf('=')), body]);
      const tracks = [{ trackid: 't1', playerid: 'ann', kind: 'audio', tag: '', master: true, muted: false }, { trackid: 't2', playerid: 'ann', kind: 'video', tag: '', master: true, muted: false }];
      if (body.rpcid) say('auth-res', { rpcid: body.rpcid, code: 0, error: '', rtmptoken: 'tok', rtmphost: 'rtmp.test', players: [{ playerid: 'ann', playerdata: '' }], tracks });
    });
  });
  const phone = new Phone();
  const { RoomSession } = phone.load(createRequire(import.meta.url).resolve('pili-rtc-wxapp'));
  const session = new RoomSession({ server: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/` });
  const heard: unknown[] = [];
  session.on('user-join', (user: { playerid: string }) => heard.push(user.playerid));
  const token = `ak:sign:${Buffer.from(JSON.stringify({ appId: 'app', roomName: 'room', userId: 'me', expireAt: 2e9 })).toString('base64')}`;
  await session.joinRoomWithToken(token);
  expect(got[0]![0]).toBe('auth');
  expect(got[0]![1]).toMatchObject({ app: 'app', room: 'room', user: 'me', roomtoken: token });
  expect(session.publish()).toBe('rtmp://rtmp.test/?rtmptoken=tok&playerid=me');
  expect(session.subscribe('ann')).toBe('rtmp://rtmp.test/?rtmptoken=tok&trackid=t1&trackid=t2&playerid=ann');
  say('on-player-in', { playerid: 'bob', playerdata: '' });
  await until('bob', () => heard.includes('bob'));
  say('ping', {});
  await until('pong', () => got.some(([name]) => name === 'pong'));
  session.leaveRoom();
  await until('goodbye', () => got.some(([name]) => name === 'disconnect'));
  phone.off();
  server.close();
});
