// Media that really moves: through ffmpeg as the other RTMP peer.
import { afterEach, describe, expect, it } from 'vitest';
import { codecProcesses, Phone, type PhoneConfig, VIEW } from '../src/index';
import { freePort, pullSource, pushTarget, stopPeers, until } from './peers';

const phones: Phone[] = [];
const phone = (config: PhoneConfig = {}): Phone => {
  const p = new Phone({ retryMs: 50, netStatusMs: 500, ...config });
  phones.push(p);
  return p;
};

afterEach(async () => {
  for (const p of phones.splice(0)) p.off();
  stopPeers();
  await until('no codec left', () => codecProcesses() === 0);
});

describe('live-pusher to live-player', () => {
  it('carries the time code and the tone, reports codes and figures, and follows the camera', async () => {
    const target = await pushTarget();
    const a = phone({ source: 5 });
    const b = phone({ source: 2 });
    const pusher = a.createPusher({ url: target.rtmp, autopush: true });
    const player = b.createPlayer({ src: target.flv, autoplay: true, mode: 'RTC' }, 'p1');
    const figures: number[] = [];
    pusher.on('netstatus', (e) => figures.push(e.detail.info.videoBitrate));

    await player.waitCode(2032);
    const seen = await until('time code', () => player.seeTime());
    expect(seen.source).toBe(5);
    await until('tone', () => player.hearTone() === 5);
    expect(pusher.codes.filter((c) => c > 0)).toEqual([1003, 1001, 1002, 1008, 1007]);
    // 2007, loading, comes whenever the machine is too busy.
    expect(player.codes.filter((c) => c !== 2007)).toEqual([2001, 2002, 2009, 2008, 2003, 2032, 2004]);
    expect([player.width, player.height]).toEqual([320, 240]);
    const first = seen.timeMs;
    await until('time goes on', () => (player.seeTime()?.timeMs ?? 0) > first + 300);
    await until('figures', () => figures.some((f) => f > 20));

    pusher.set({ muted: true });
    await until('silence', () => player.hearTone() === undefined && player.sampleCount > 0);
    expect(player.seeTime()?.source).toBe(5);
    pusher.set({ muted: false });
    await until('tone again', () => player.hearTone() === 5);
    player.set({ muted: true });
    expect(player.hearTone()).toBeUndefined();

    pusher.switchCamera();
    await until('the other shape', () => player.width === 240 && player.height === 320 && player.seeTime(500)?.source === 5);
    expect(player.backwards).toBe(0);

    pusher.set({ enableCamera: false });
    const frozen = player.pictureCount;
    await until('the picture stands', () => player.see(400) === undefined);
    expect(player.pictureCount - frozen).toBeLessThan(30);
    pusher.set({ enableCamera: true });
    await until('the picture moves', () => player.seeTime(300)?.source === 5);
    target.close();
  }, 120_000);

  it('lets sound come late', async () => {
    const target = await pushTarget();
    const a = phone({ source: 3, audio: { lateMs: 900 }, netStatusMs: 300 });
    const pusher = a.createPusher({ url: target.rtmp, autopush: true });
    const figures: [number, number][] = [];
    pusher.on('netstatus', (e) => figures.push([e.detail.info.videoBitrate, e.detail.info.audioBitrate]));
    await until('sound', () => figures.some(([, audio]) => audio > 0));
    expect(figures.find(([video]) => video > 0)![1]).toBe(0);
    target.close();
  }, 120_000);

  it('freezes in the background of iOS, goes on when back soon, and is dropped when back late', async () => {
    const target = await pushTarget();
    const a = phone({ backgroundDropMs: 400 });
    const pusher = a.createPusher({ url: target.rtmp, autopush: true });
    await pusher.waitCode(1007);
    a.background();
    expect(pusher.codes.at(-1)).toBe(5000);
    a.foreground();
    expect(pusher.isPushing).toBe(true);
    a.background();
    await until('dropped', () => !pusher.isPushing);
    expect(pusher.codes.at(-1)).toBe(5000);
    a.foreground();
    expect(pusher.codes.slice(-2)).toEqual([3005, -1307]);
    target.close();
  }, 120_000);
});

describe('live-player', () => {
  it('plays RTMP of a foreign server and reports its end', async () => {
    const source = await pullSource(['-re', '-f', 'lavfi', '-i', 'testsrc=s=176x144:r=15', '-f', 'lavfi', '-i', 'sine=frequency=1025:sample_rate=44100', '-t', '2', '-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-g', '15', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-ac', '2']);
    const p = phone({ retryCount: 1 });
    const player = p.createPlayer({ src: source.rtmp, autoplay: true });
    await player.waitCode(2032);
    const seen = player.see()!;
    expect(seen.luma.length).toBe(VIEW.width * VIEW.height);
    expect(player.seeTime()).toBeUndefined();
    expect([player.width, player.height]).toEqual([176, 144]);
    await until('the tone of source 5', () => player.hearTone() === 5);
    await player.waitCode(-2301);
    expect(player.codes.filter((c) => c === 2103).length).toBe(1);
    expect(player.backwards).toBe(0);
  }, 120_000);

  it('does not play by itself without autoplay, and nothing but RTMP and FLV', async () => {
    const p = phone();
    const player = p.createPlayer({ src: 'rtmp://127.0.0.1:1/x', autoplay: false });
    await new Promise((resolve) => setImmediate(resolve));
    expect(player.codes).toEqual([]);
    player.set({ src: 'webrtc://127.0.0.1/x' });
    const answers: string[] = [];
    player.play({ fail: (r) => answers.push(r.errMsg) });
    expect(answers).toEqual(['play:fail src has to be RTMP or FLV']);
  });
});

describe('failures', () => {
  it('tries three times where nothing listens, then gives up with -1307 and -2301', async () => {
    const url = `rtmp://127.0.0.1:${await freePort()}/live/x`;
    const p = phone();
    const pusher = p.createPusher({ url, autopush: true });
    const player = p.createPlayer({ src: url, autoplay: true });
    await Promise.all([pusher.waitCode(-1307), player.waitCode(-2301)]);
    expect(pusher.codes).toEqual([1003, 3002, 1102, 3002, 1102, 3002, 1102, 3002, -1307]);
    expect(player.codes).toEqual([3002, 2103, 3002, 2103, 3002, 2103, 3002, -2301]);
  });

  it('reports a camera and a microphone that cannot be opened', async () => {
    const p = phone({ camera: { broken: true }, microphoneBroken: true, retryCount: 0 });
    const pusher = p.createPusher({ url: `rtmp://127.0.0.1:${await freePort()}/x`, autopush: true });
    await pusher.waitCode(-1307);
    expect(pusher.codes.slice(0, 2)).toEqual([-1301, -1302]);
  });

  it('breaks when the network is lost and comes back with it', async () => {
    const target = await pushTarget();
    const p = phone({ retryMs: 100, retryCount: 1 });
    const pusher = p.createPusher({ url: target.rtmp, autopush: true });
    await pusher.waitCode(1007);
    p.goOffline();
    await pusher.waitCode(-1307);
    target.close();
    const next = await pushTarget();
    p.goOnline();
    pusher.set({ url: next.rtmp });
    await pusher.waitCode(1002, { fresh: true });
    expect(pusher.connectionCount).toBe(2);
    next.close();
  }, 120_000);
});
