const zh = {
  me: '我', connecting: '连接中…', reconnecting: '网络不稳定，正在重连…', failed: '通话已结束',
  mic: '麦克风', camera: '摄像头', flip: '翻转', beauty: '美颜', whiteness: '美白', smooth: '磨皮', chat: '聊天', hangUp: '挂断',
  send: '发送', say: '说点什么', noMessages: '还没有消息', on: '开', off: '关',
  errors: {
    10001: '房间凭证无效', 10002: '房间凭证已过期', 10005: '房间已关闭', 10006: '你已被移出房间', 10011: '房间已满',
    10022: '你已在其他设备加入', 21001: '无法连接服务器', 21003: '重连失败', 21005: '房间凭证无法识别',
  },
};

const en = {
  me: 'Me', connecting: 'Connecting…', reconnecting: 'Unstable network, reconnecting…', failed: 'The call has ended',
  mic: 'Mic', camera: 'Camera', flip: 'Flip', beauty: 'Beauty', whiteness: 'Whiteness', smooth: 'Smoothness', chat: 'Chat', hangUp: 'Hang up',
  send: 'Send', say: 'Say something', noMessages: 'No messages yet', on: 'on', off: 'off',
  errors: {
    10001: 'The room token is wrong', 10002: 'The room token has expired', 10005: 'The room was closed', 10006: 'You were removed from the room',
    10011: 'The room is full', 10022: 'You joined from another device', 21001: 'The server cannot be reached', 21003: 'Reconnecting failed',
    21005: 'The room token cannot be read',
  },
};

module.exports = { zh, en };
