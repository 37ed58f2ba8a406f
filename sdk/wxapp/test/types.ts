// Compiled, not run: what this package wants of `wx` is what WeChat's declarations offer, and users can write what they write.
/// <reference types="miniprogram-api-typings" />
import QNRTC, { QNConnectionState, QNPublishStatus, type QNRemoteTrack, type QNRTCError } from '../src/index';
import { type WxApi } from '../src/wx';

export const real: WxApi = wx as WechatMiniprogram.Wx;

export async function call(token: string): Promise<void> {
  QNRTC.setConfig({ server: 'wss://rtc.example.org/' });
  const client = QNRTC.createClient();
  client.on('user-published', async (userID: string, tracks: QNRemoteTrack[]) => {
    const url: string = await client.subscribe({ videoTrack: tracks.find((t) => t.isVideo())! });
    wx.setStorageSync(userID, url);
  });
  client.on('connection-state-changed', (state, info) => {
    if (state === QNConnectionState.DISCONNECTED && info?.reason === 'ERROR') wx.showToast({ title: `${info.errorCode}` });
  });
  // @ts-expect-error there is no such event
  client.on('user-lost', () => {});
  await client.join(token).catch((error: QNRTCError) => wx.showToast({ title: error.reason }));
  await client.publish((status, data) => {
    if (status === QNPublishStatus.READY) wx.setStorageSync('url', data.url);
    if (status === QNPublishStatus.COMPLETED) void data.tracks![0]!.setMuted(true);
  });
}
