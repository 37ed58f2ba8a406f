const { defaults } = require('../config');

/**
 * A room token from the server's demo token service (`parley serve --dev`). In production your own server makes it, after it has
 * looked at who asks.
 */
function fetchToken(origin, room, user) {
  return new Promise((resolve, reject) => {
    wx.request({
      url: `${origin}/v1/rtc/token/app/${defaults.app}/room/${room}/user/${user}`,
      dataType: 'text',
      timeout: 10000,
      success: ({ statusCode, data }) => (statusCode === 200 ? resolve(String(data).trim()) : reject(new Error(`HTTP ${statusCode}`))),
      fail: ({ errMsg }) => reject(new Error(errMsg)),
    });
  });
}

module.exports = { fetchToken };
