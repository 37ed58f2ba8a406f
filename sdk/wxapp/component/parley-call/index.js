// A whole call: own picture, up to 11 others, controls, chat. See README.md for its properties, events and methods.
const sdk = require('../index');
const layout = require('./layout');
const words = require('./words');

const QNRTC = sdk.default;
const MAX_MESSAGES = 200;

Component({
  options: { addGlobalClass: true, multipleSlots: true },

  properties: {
    server: { type: String, value: '' },
    token: { type: String, value: '' },
    userData: { type: String, value: '' },
    camera: { type: Boolean, value: true },
    microphone: { type: Boolean, value: true },
    /** 0 to 9, like whiteness. */
    beauty: { type: Number, value: 0 },
    whiteness: { type: Number, value: 0 },
    minBitrate: { type: Number, value: 200 },
    maxBitrate: { type: Number, value: 600 },
    transport: { type: String, value: 'rtmp' },
    /** One player for the sound of everybody, mixed by the server, and silent ones for the pictures. */
    mixedAudio: { type: Boolean, value: false },
    controls: { type: Boolean, value: true },
    language: { type: String, value: 'zh' },
  },

  data: {
    text: words.zh,
    state: 'DISCONNECTED',
    url: '',
    pushing: false,
    cameraOn: true,
    micOn: true,
    front: true,
    panel: '',
    smooth: 0,
    white: 0,
    columns: 1,
    tiles: [],
    mixedUrl: '',
    members: [],
    messages: [],
    unread: 0,
    draft: '',
    notice: '',
  },

  observers: {
    language(language) {
      this.setData({ text: words[language] || words.zh });
    },
    beauty(value) {
      this.setData({ smooth: value });
    },
    whiteness(value) {
      this.setData({ white: value });
    },
    token(token) {
      // A page's setData may bring the same token again.
      if (token && this.attachedOnce && token !== this.entered) this.enter();
    },
  },

  lifetimes: {
    attached() {
      this.attachedOnce = true;
      this.setData({ smooth: this.data.beauty, white: this.data.whiteness });
      if (this.data.token) this.enter();
    },
    detached() {
      this.attachedOnce = false;
      this.leave();
    },
  },

  methods: {
    /** Joins the room of `token` and publishes. */
    async enter() {
      const { server, token, userData, transport, camera, microphone } = this.data;
      this.entered = token;
      await this.leave();
      this.setData({ cameraOn: camera, micOn: microphone });
      if (server) QNRTC.setConfig({ server });
      QNRTC.setConfig({ transport });
      const client = QNRTC.createClient();
      this.client = client;
      this.listen(client);
      try {
        await client.join(token, userData);
      } catch (error) {
        if (this.client === client) this.fail(error);
        return;
      }
      if (this.client !== client) return;
      this.triggerEvent('joined', { userID: client.userID, roomName: client.roomName });
      if (this.data.mixedAudio) await client.subscribeMixedAudio((mixedUrl) => this.listenTo(client, mixedUrl));
      await client.publish((status, data) => {
        if (this.client !== client) return;
        if (status === 'READY') {
          this.setData({ url: data.url });
        } else if (status === 'COMPLETED') {
          this.setData({ pushing: true });
          this.tellMutes(data.tracks);
          this.triggerEvent('published', { tracks: data.tracks.map((t) => ({ trackID: t.trackID, kind: t.kind })) });
        }
      });
    },

    async leave() {
      const { client } = this;
      if (!client) return;
      this.client = undefined;
      client.removeAllListeners();
      await client.leave();
      this.setData({ state: 'DISCONNECTED', url: '', pushing: false, tiles: [], mixedUrl: '', members: [], panel: '' });
      this.triggerEvent('left', {});
    },

    listenTo(client, mixedUrl) {
      if (this.client !== client) return;
      this.setData({ mixedUrl });
      if (wx.createLivePlayerContext) client.attachPlayer('parley-mixed', wx.createLivePlayerContext('parley-mixed', this));
    },

    listen(client) {
      const refresh = () => this.refresh();
      client.on('user-joined', refresh);
      client.on('user-left', refresh);
      client.on('user-published', (_, tracks) => {
        for (const track of tracks) track.on('mute-state-changed', refresh);
        this.refresh();
      });
      client.on('user-unpublished', refresh);
      client.on('local-unpublished', () => this.setData({ pushing: false }));
      client.on('message-received', (message) => this.show(message));
      client.on('live-streaming-state-changed', (streamID, kind, running) => this.triggerEvent('livestreaming', { streamID, kind, running }));
      client.on('connection-state-changed', (state, info) => {
        this.setData({ state });
        this.triggerEvent('statechange', { state, info });
        if (state === 'DISCONNECTED' && info && info.reason !== 'LEAVE') {
          this.client = undefined;
          this.setData({ url: '', pushing: false, tiles: [], mixedUrl: '', members: [] });
          this.fail({ code: info.errorCode, message: info.errorMessage, reason: info.reason });
        }
      });
    },

    fail(error) {
      const text = this.data.text;
      this.setData({ state: 'DISCONNECTED', notice: `${text.errors[error.code] || text.failed} (${error.code})` });
      this.triggerEvent('error', { code: error.code, message: error.message, reason: error.reason });
    },

    /** Addresses of the players and the member list, from what the client knows now. */
    async refresh() {
      const { client } = this;
      if (!client) return;
      const { mixedAudio } = this.data;
      const wanted = layout.tiles(client.remoteUsers, mixedAudio);
      const urls = await Promise.all(wanted.map((t) => client.subscribe(t.config).catch(() => '')));
      if (this.client !== client) return;
      const tiles = wanted.map((t, i) => ({ ...t.view, url: urls[i] })).filter((t) => t.url || mixedAudio);
      for (const old of this.data.tiles) if (!tiles.some((t) => t.id === old.id)) client.detachPlayer(old.id);
      this.setData({ tiles, columns: layout.columns(tiles.length + 1), members: layout.members(client.remoteUsers) });
      for (const tile of tiles) if (tile.url && wx.createLivePlayerContext) client.attachPlayer(tile.id, wx.createLivePlayerContext(tile.id, this));
      this.triggerEvent('userschange', { members: this.data.members });
    },

    async tellMutes(tracks) {
      const { cameraOn, micOn } = this.data;
      await Promise.all(tracks.map((t) => t.setMuted(t.isAudio() ? !micOn : !cameraOn).catch(() => {})));
    },

    toggleMic() {
      this.setData({ micOn: !this.data.micOn });
      if (this.client) this.tellMutes(this.client.localTracks.filter((t) => t.isAudio()));
    },
    toggleCamera() {
      this.setData({ cameraOn: !this.data.cameraOn });
      if (this.client) this.tellMutes(this.client.localTracks.filter((t) => t.isVideo()));
    },
    switchCamera() {
      const context = wx.createLivePusherContext();
      context.switchCamera({ success: () => this.setData({ front: !this.data.front }) });
    },
    openPanel(event) {
      const { panel } = event.currentTarget.dataset;
      this.setData({ panel: this.data.panel === panel ? '' : panel, ...(panel === 'chat' ? { unread: 0 } : {}) });
    },
    setSmooth(event) {
      this.setData({ smooth: event.detail.value });
    },
    setWhite(event) {
      this.setData({ white: event.detail.value });
    },
    hangUp() {
      this.leave();
    },

    typeDraft(event) {
      this.setData({ draft: event.detail.value });
    },
    async sendDraft() {
      const { draft } = this.data;
      if (draft.trim() && (await this.send(draft))) this.setData({ draft: '' });
    },
    /** Sends a text to everybody, or to the users named. Resolves to whether it went out. */
    async send(text, userIDs) {
      const { client } = this;
      if (!client) return false;
      const users = (userIDs || []).map((id) => client.getRemoteUser(id)).filter(Boolean);
      this.counter = (this.counter || 0) + 1;
      const ID = `${client.userID}-${Date.now()}-${this.counter}`;
      try {
        await client.sendMessage(ID, text, users);
      } catch (error) {
        this.triggerEvent('error', { code: error.code, message: error.message, reason: error.reason });
        return false;
      }
      this.show({ ID, userID: client.userID, content: text, timestamp: Date.now(), own: true });
      return true;
    },
    show(message) {
      const messages = this.data.messages.concat({ ...message, own: !!message.own }).slice(-MAX_MESSAGES);
      const unread = this.data.panel === 'chat' || message.own ? this.data.unread : this.data.unread + 1;
      this.setData({ messages, unread });
      if (!message.own) this.triggerEvent('message', message);
    },

    /** The client underneath, for relays, mixes and whatever else an app wants. */
    getClient() {
      return this.client;
    },
    getStats() {
      return this.client ? this.client.getStats() : Promise.resolve({ publisher: undefined, players: {} });
    },

    onPusherState(event) {
      QNRTC.updatePusherStateChange(event);
    },
    onPusherNet(event) {
      QNRTC.updatePusherNetStatus(event);
    },
    onPlayerState(event) {
      QNRTC.updatePlayerStateChange(event);
    },
    onPlayerNet(event) {
      QNRTC.updatePlayerNetStatus(event);
    },
    closeNotice() {
      this.setData({ notice: '' });
    },
  },
});
