const zh = {
  title: '视频会议', name: '你的名字', nameHint: '别人看到的名字', room: '会议号或房间名', roomHint: '字母、数字、- 和 _，或邀请链接',
  join: '加入会议', create: '新建会议', joining: '正在加入…', server: '服务器', camera: '打开摄像头', microphone: '打开麦克风', language: 'English',
  badRoom: '会议号只能用字母、数字、- 和 _，最多 64 个', badName: '请填写名字', badServer: '服务器地址要以 https:// 开头', noToken: '拿不到房间凭证',
  members: '成员', live: '直播', me: '我', share: '邀请你加入会议', copy: '复制会议号', copied: '已复制', close: '关闭', empty: '还没有其他人',
  relay: '单路转推', merge: '合流转推', start: '开始', stop: '停止', url: 'rtmp:// 推流地址', running: '进行中', failed: '操作失败', notPublished: '还没有推流成功',
  mic: '麦克风', cam: '摄像头', on: '开', off: '关', stats: '状态',
};

const en = {
  title: 'Video meeting', name: 'Your name', nameHint: 'What others see', room: 'Meeting code or room name', roomHint: 'Letters, digits, - and _, or an invitation link',
  join: 'Join', create: 'New meeting', joining: 'Joining…', server: 'Server', camera: 'Camera on', microphone: 'Microphone on', language: '中文',
  badRoom: 'A code has letters, digits, - and _ only, at most 64', badName: 'A name is needed', badServer: 'The server starts with https://', noToken: 'No room token from the server',
  members: 'Members', live: 'Live', me: 'Me', share: 'invites you to a meeting', copy: 'Copy code', copied: 'Copied', close: 'Close', empty: 'Nobody else yet',
  relay: 'Relay my stream', merge: 'Mixed stream', start: 'Start', stop: 'Stop', url: 'rtmp:// address', running: 'running', failed: 'That failed', notPublished: 'Not publishing yet',
  mic: 'Mic', cam: 'Camera', on: 'on', off: 'off', stats: 'Status',
};

module.exports = { zh, en };
