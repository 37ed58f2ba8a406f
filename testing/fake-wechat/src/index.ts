export * from './codes';
export { codecProcesses, PCM_RATE, VIEW } from './codecs';
export type { ElementEvent, NetInfo, StateDetail } from './element';
export { FlvReader, nalTypes, parseMedia, pictureSize, type Media, type Tag } from './flv';
export { LivePlayer, type PlayerAttributes, type Seen } from './live-player';
export { LivePusher, type PusherAttributes } from './live-pusher';
export { Phone, type PhoneConfig, type PhoneOptions } from './phone';
export * from './picture';
export { parseRtmpUrl, RtmpClient, type QueryPlace, type RtmpMessage, type RtmpTarget } from './rtmp';
