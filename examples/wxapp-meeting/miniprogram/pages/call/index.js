// The call: the ready component, and around it the member list, relay and mix.
const words = require('../../shared/words');
const names = require('../../shared/names');
const { gatewayOf } = require('../../config');
const { CANVAS, mixLayout } = require('../../shared/layout');
const { fetchToken } = require('../../shared/token');

const RELAY = 'relay';
const MERGE = 'merge';

Component({
  data: {
    text: words.zh, language: 'zh', server: '', token: '', name: '', room: '', camera: true, microphone: true, problem: '', panel: '',
    members: [], relayUrl: '', mergeUrl: '', relaying: false, merging: false, figures: '',
  },

  methods: {
    async onLoad(query) {
      const { globalData } = getApp();
      const name = decodeURIComponent(query.name || '');
      this.setData({
        text: words[globalData.language], language: globalData.language, server: gatewayOf(globalData.origin), name,
        room: query.room, camera: query.camera !== '0', microphone: query.microphone !== '0',
      });
      wx.setNavigationBarTitle({ title: query.room });
      wx.setKeepScreenOn({ keepScreenOn: true });
      try {
        this.userID = names.userIdFrom(name);
        this.setData({ token: await fetchToken(globalData.origin, query.room, this.userID) });
      } catch (error) {
        this.setData({ problem: `${this.data.text.noToken}: ${error.message}` });
      }
    },
    onUnload() {
      wx.setKeepScreenOn({ keepScreenOn: false });
    },
    onShareAppMessage() {
      const { name, text, room } = this.data;
      return { title: `${name} ${text.share}`, path: `/pages/lobby/index?room=${room}` };
    },

    call() {
      return this.selectComponent('#call');
    },
    client() {
      return this.call() && this.call().getClient();
    },

    onLeft() {
      wx.navigateBack({ delta: 1 });
    },
    onUsers(event) {
      this.setData({ members: event.detail.members });
      if (this.data.merging) this.layOutMix();
    },
    onLive(event) {
      const { streamID, running } = event.detail;
      const id = String(streamID);
      if (id.startsWith(RELAY)) this.setData({ relaying: running });
      if (id.startsWith(MERGE)) this.setData({ merging: running });
    },

    async openPanel(event) {
      const { panel } = event.currentTarget.dataset;
      this.setData({ panel: this.data.panel === panel ? '' : panel });
      if (panel === 'live' && this.call()) {
        const { publisher } = await this.call().getStats();
        this.setData({ figures: publisher ? `${Math.round((publisher.videoBitrateBps || 0) / 1000)} kbit/s, ${publisher.videoFps || 0} fps` : '-' });
      }
    },
    copyRoom() {
      wx.setClipboardData({ data: this.data.room, success: () => wx.showToast({ title: this.data.text.copied, icon: 'none' }) });
    },

    typeRelay(event) {
      this.setData({ relayUrl: event.detail.value.trim() });
    },
    typeMerge(event) {
      this.setData({ mergeUrl: event.detail.value.trim() });
    },

    async attempt(action) {
      try {
        await action();
      } catch (error) {
        wx.showToast({ title: `${this.data.text.failed} (${error.code})`, icon: 'none' });
      }
    },

    toggleRelay() {
      return this.attempt(async () => {
        const client = this.client();
        if (!client) return;
        if (this.data.relaying) {
          await client.stopDirectLiveStreaming(`${RELAY}-${this.userID}`);
          this.setData({ relaying: false });
          return;
        }
        const tracks = client.localTracks;
        if (!tracks.length) {
          wx.showToast({ title: this.data.text.notPublished, icon: 'none' });
          return;
        }
        await client.startDirectLiveStreaming({
          streamID: `${RELAY}-${this.userID}`, url: this.data.relayUrl,
          videoTrack: tracks.find((t) => t.isVideo()), audioTrack: tracks.find((t) => t.isAudio()),
        });
        this.setData({ relaying: true });
      });
    },

    toggleMerge() {
      return this.attempt(async () => {
        const client = this.client();
        if (!client) return;
        if (this.data.merging) {
          await client.stopTranscodingLiveStreaming(`${MERGE}-${this.userID}`);
          this.setData({ merging: false });
          return;
        }
        await client.startTranscodingLiveStreaming({ streamID: `${MERGE}-${this.userID}`, url: this.data.mergeUrl, ...CANVAS, videoFrameRate: 25, bitrate: 1000 });
        this.setData({ merging: true });
        await this.layOutMix();
      });
    },

    /** The mix follows who is there. */
    layOutMix() {
      return this.attempt(async () => {
        const client = this.client();
        if (!client) return;
        const tracks = client.localTracks.concat(...client.remoteUsers.map((u) => u.getVideoTracks().concat(u.getAudioTracks())));
        const of = (kind) => tracks.filter((t) => t.kind === kind).map((t) => t.trackID);
        await client.setTranscodingLiveStreamingTracks(`${MERGE}-${this.userID}`, mixLayout(of('video'), of('audio')));
      });
    },
  },
});
