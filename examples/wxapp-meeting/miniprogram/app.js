const { defaults } = require('./config');

App({
  onLaunch() {
    this.globalData = {
      origin: wx.getStorageSync('origin') || defaults.origin,
      language: wx.getStorageSync('language') || defaults.language,
    };
  },
});
