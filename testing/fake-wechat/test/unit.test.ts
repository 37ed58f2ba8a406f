import { readFileSync } from 'node:fs';
import { AddressInfo } from 'node:net';
import { createServer } from 'node:http';
import path from 'node:path';
import { WebSocketServer } from 'ws';
import { afterEach, describe, expect, it } from 'vitest';
import { readAmf, writeAmf } from '../src/amf';
import { drawPicture, FlvReader, parseMedia, parseRtmpUrl, Phone, pictureSize, readPicture, readTone, readTones, rms, toneOf, toneShare } from '../src/index';

describe('picture and tone', () => {
  it('reads what was drawn in every size, and nothing else', () => {
    for (const [width, height] of [[160, 120], [320, 240], [240, 320], [176, 144], [640, 360]] as const) {
      for (const [source, timeMs] of [[0, 0], [15, 10_485_750], [7, 1_234_560]] as const) {
        const luma = new Uint8Array(width * height);
        drawPicture(luma, width, height, { source, timeMs });
        expect(readPicture(luma, width, height)).toEqual({ source, timeMs });
        for (let i = 0; i < luma.length; ++i) luma[i] = Math.min(255, luma[i]! * 0.9 + 12 + (i % 7));
        expect(readPicture(luma, width, height)).toEqual({ source, timeMs });
        const x = Math.floor(width / 32);
        for (let y = 0; y < height / 8; ++y) for (let i = 0; i < width / 16; ++i) luma[y * width + x * 2 + i]! ^= 0xff;
        expect(readPicture(luma, width, height)).toBeUndefined();
      }
    }
    expect(readPicture(new Uint8Array(160 * 120), 160, 120)).toBeUndefined();
    expect(readPicture(new Uint8Array(160 * 120).fill(255), 160, 120)).toBeUndefined();
  });

  it('tells tones apart', () => {
    const samples = Float64Array.from({ length: 9600 }, (_, i) => Math.sin((2 * Math.PI * toneOf(4) * i) / 48_000));
    expect(toneShare(samples, 48_000, toneOf(4))).toBeGreaterThan(0.9);
    expect(toneShare(samples, 48_000, toneOf(5))).toBeLessThan(0.1);
    for (let n = 0; n < 16; ++n) expect(readTone(Float64Array.from(samples, (_, i) => Math.sin((2 * Math.PI * toneOf(n) * i) / 48_000)), 48_000, 0.01)).toBe(n);
    expect(readTone(samples.map((v) => v / 1000), 48_000, 0.01)).toBeUndefined();
    const chord = Float64Array.from({ length: 9_600 }, (_, i) => [3, 4, 11].reduce((sum, n) => sum + 0.2 * Math.sin((2 * Math.PI * toneOf(n) * i) / 48_000), 0));
    expect(readTones(chord, 48_000, 0.02)).toEqual([3, 4, 11]);
    expect(readTones(chord, 48_000, 0.13)).toEqual([3, 4, 11]);
    expect(readTones(chord, 48_000, 0.15)).toEqual([]);
    expect(rms(samples)).toBeCloseTo(Math.SQRT1_2, 2);
    expect(toneShare(new Int16Array(10), 48_000, 440)).toBe(0);
  });
});

describe('formats', () => {
  it('AMF0 comes back as it went', () => {
    const values = ['connect', 1, { app: '?a=b', n: null, yes: true, list: [1, 'zwei', { x: undefined }] }, undefined, null, -0.5, '微信'];
    expect(readAmf(writeAmf(...values))).toEqual(values);
    const bytes = writeAmf(...values);
    for (let n = 0; n < bytes.length; ++n) expect(() => readAmf(bytes.subarray(0, n))).not.toThrow();
    expect(readAmf(Buffer.from([0x11, 0]))).toEqual([]);
    expect(() => readAmf(Buffer.concat(Array(10_000).fill(Buffer.from([10, 0, 0, 0, 1]))))).not.toThrow();
  });

  it('FLV is cut the same whatever the pieces', () => {
    const tag = (type: number, ts: number, data: Buffer): Buffer => {
      const head = Buffer.alloc(11);
      head[0] = type;
      head.writeUIntBE(data.length, 1, 3);
      head.writeUIntBE(ts & 0xffffff, 4, 3);
      head[7] = ts >>> 24;
      return Buffer.concat([head, data, Buffer.alloc(4)]);
    };
    const stream = Buffer.concat([Buffer.from('FLV\x01\x05\0\0\0\x09\0\0\0\0', 'latin1'), tag(9, 5, Buffer.from('video')), tag(8, 0x1234567, Buffer.from('audio'))]);
    const whole = new FlvReader().push(stream);
    expect(whole.map((t) => [t.type, t.timestampMs, t.data.toString()])).toEqual([[9, 5, 'video'], [8, 0x1234567, 'audio']]);
    for (const size of [1, 2, 7, 13]) {
      const reader = new FlvReader();
      const tags = [];
      for (let at = 0; at < stream.length; at += size) tags.push(...reader.push(stream.subarray(at, at + size)));
      expect(tags).toEqual(whole);
    }
    expect(() => new FlvReader().push(Buffer.alloc(20))).toThrow('not FLV');
  });

  it('reads sizes from parameter sets of x264: baseline, high and main, cropped ones too', () => {
    const size = (hex: string): unknown => pictureSize(Buffer.from(hex, 'hex'));
    expect(size('6742c00cd90141fb0110000003001000000301e0f142a480')).toEqual({ width: 320, height: 240 });
    expect(size('67640028acd940780227e5c044000003000400000300783c60c658')).toEqual({ width: 1920, height: 1080 });
    expect(size('674d4028eca02201e3cbe0220000030002000003003c1e30632c')).toEqual({ width: 1080, height: 1920 });
    for (let n = 0; n < 24; ++n) expect(() => pictureSize(Buffer.alloc(n, 0x64))).not.toThrow();
    expect(parseMedia(9, Buffer.from([0x17, 0, 0, 0, 0]))).toEqual({ kind: 'other' });
    expect(parseMedia(8, Buffer.from([0xaf, 0, 0x12, 0x10]))).toMatchObject({ kind: 'aac-config', objectType: 2, frequencyIndex: 4, channels: 2 });
  });

  it('puts the query of an address without a path where it is told to', () => {
    const url = 'rtmp://h:1936/?rtmptoken=a&playerid=b';
    expect(parseRtmpUrl(url)).toEqual({ host: 'h', port: 1936, secure: false, app: '?rtmptoken=a&playerid=b', stream: '', tcUrl: url });
    expect(parseRtmpUrl(url, 'stream')).toMatchObject({ app: '', stream: '?rtmptoken=a&playerid=b', tcUrl: 'rtmp://h:1936/' });
    expect(parseRtmpUrl(url, 'tcUrl')).toMatchObject({ app: '', stream: '', tcUrl: url });
    expect(parseRtmpUrl('rtmps://h/live/room/x?k=a/b')).toMatchObject({ port: 443, secure: true, app: 'live/room', stream: 'x?k=a/b' });
    expect(() => parseRtmpUrl('http://h/x')).toThrow();
  });
});

describe('wx', () => {
  const phones: Phone[] = [];
  const make = (config = {}): Phone => {
    const p = new Phone(config);
    phones.push(p);
    return p;
  };
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const p of phones.splice(0)) p.off();
    for (const close of closing.splice(0)) close();
  });
  const echo = async (): Promise<string> => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    server.on('connection', (s) => s.on('message', (m) => (m.toString() === 'bye' ? s.close(4001, 'so') : s.send(m.toString()))));
    await new Promise((resolve) => server.on('listening', resolve));
    closing.push(() => server.close());
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  };

  it('opens sockets, at most five, and reports how they end', async () => {
    const p = make();
    const url = await echo();
    const tasks = Array.from({ length: 5 }, () => p.wx.connectSocket({ url }));
    const refused: string[] = [];
    p.wx.connectSocket({ url, fail: (r: { errMsg: string }) => refused.push(r.errMsg) });
    expect(refused).toEqual(['connectSocket:fail exceed max socket connections']);
    const [task] = tasks;
    const got = await new Promise<unknown>((resolve) => {
      task.onOpen(() => task.send({ data: '你好' }));
      task.onMessage((m: { data: unknown }) => {
        task.send({ data: 'bye' });
        task.onClose((c: { code: number }) => resolve([m.data, c.code]));
      });
    });
    expect(got).toEqual(['你好', 4001]);
    const late: string[] = [];
    task.send({ data: 'x', fail: (r: { errMsg: string }) => late.push(r.errMsg) });
    expect(late[0]).toMatch(/^sendSocketMessage:fail/);
    const codes: string[] = [];
    tasks[1].close({ code: 1001, fail: (r: { errMsg: string }) => codes.push(r.errMsg) });
    expect(codes).toEqual(['closeSocket:fail invalid code']);
  });

  it('keeps to the allowed domains', async () => {
    const p = make({ domains: { socket: ['wss://good.test'], request: ['https://good.test'] } });
    const told: string[] = [];
    const fail = (r: { errMsg: string }): void => void told.push(r.errMsg);
    p.wx.connectSocket({ url: 'wss://bad.test/', fail });
    p.wx.connectSocket({ url: 'ws://good.test/', fail });
    p.wx.request({ url: 'https://bad.test/', fail });
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(told).toEqual(['connectSocket:fail url not in domain list', 'connectSocket:fail url not in domain list', 'request:fail url not in domain list']);
  });

  it('makes requests and stores values', async () => {
    const server = createServer((q, r) => r.end(JSON.stringify({ url: q.url, method: q.method })));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closing.push(() => server.close());
    const p = make();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a`;
    const answer = await new Promise<any>((success) => p.wx.request({ url, data: { q: '是' }, success }));
    expect([answer.statusCode, answer.data]).toEqual([200, { url: '/a?q=%E6%98%AF', method: 'GET' }]);
    p.wx.setStorageSync('k', { deep: [1] });
    expect(p.wx.getStorageSync('k')).toEqual({ deep: [1] });
    p.wx.removeStorageSync('k');
    expect(p.wx.getStorageSync('k')).toBe('');
    expect(make().wx.getStorageSync('k')).toBe('');
  });

  it('tells the app of background, calls and network, until it stops listening', () => {
    const p = make();
    const told: string[] = [];
    const names = ['AppShow', 'AppHide', 'AudioInterruptionBegin', 'AudioInterruptionEnd', 'NetworkStatusChange'];
    for (const n of names) p.wx[`on${n}`](() => told.push(n));
    p.background();
    p.background();
    p.foreground();
    p.interrupt();
    p.endInterruption();
    p.goOffline();
    p.goOnline();
    expect(told).toEqual(['AppHide', 'AppShow', 'AudioInterruptionBegin', 'AudioInterruptionEnd', 'NetworkStatusChange', 'NetworkStatusChange']);
    for (const n of names) p.wx[`off${n}`]();
    expect(p.listenerCount).toBe(0);
  });

  it('runs a package without the globals of Node', () => {
    const file = path.resolve(import.meta.dirname, 'fixtures/probe.js');
    expect(readFileSync(file, 'utf8')).toContain('typeof process');
    expect(make().load(file)).toEqual({ process: 'undefined', Buffer: 'undefined', window: 'undefined', wx: 'object', neighbour: 7 });
  });
});
