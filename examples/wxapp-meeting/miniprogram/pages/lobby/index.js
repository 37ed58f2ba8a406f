// The first page: who, where, with what switched on.
const words = require('../../shared/words');
const names = require('../../shared/names');

Component({
  data: { text: words.zh, name: '', room: '', origin: '', camera: true, microphone: true, problem: '' },

  methods: {
    onLoad(query) {
      const { globalData } = getApp();
      this.setData({
        text: words[globalData.language],
        origin: globalData.origin,
        name: wx.getStorageSync('name') || '',
        room: names.roomFromInput(decodeURIComponent((query && query.room) || '')),
      });
      wx.setNavigationBarTitle({ title: words[globalData.language].title });
    },

    typeName(event) {
      this.setData({ name: event.detail.value });
    },
    typeRoom(event) {
      this.setData({ room: event.detail.value });
    },
    typeOrigin(event) {
      this.setData({ origin: event.detail.value.trim() });
    },
    setCamera(event) {
      this.setData({ camera: event.detail.value });
    },
    setMicrophone(event) {
      this.setData({ microphone: event.detail.value });
    },
    switchLanguage() {
      const { globalData } = getApp();
      globalData.language = globalData.language === 'zh' ? 'en' : 'zh';
      wx.setStorageSync('language', globalData.language);
      this.setData({ text: words[globalData.language], problem: '' });
      wx.setNavigationBarTitle({ title: words[globalData.language].title });
    },

    create() {
      this.setData({ room: names.randomRoomName() });
      this.join();
    },

    join() {
      const { text, camera, microphone, origin } = this.data;
      const name = this.data.name.trim();
      const room = names.roomFromInput(this.data.room);
      let problem = '';
      if (!name) problem = text.badName;
      else if (!names.isRoomName(room)) problem = text.badRoom;
      else if (!/^https?:\/\/[^/]+/.test(origin)) problem = text.badServer;
      this.setData({ room, problem });
      if (problem) return;
      getApp().globalData.origin = origin.replace(/\/+$/, '');
      wx.setStorageSync('origin', getApp().globalData.origin);
      wx.setStorageSync('name', name);
      const query = `room=${room}&name=${encodeURIComponent(name)}&camera=${camera ? 1 : 0}&microphone=${microphone ? 1 : 0}`;
      wx.navigateTo({ url: `/pages/call/index?${query}` });
    },
  },
});
