import { Emitter } from '../../core/src/index';
import { active, QNRTCClient } from './client';
import { setConfig, type QNRTCConfig } from './config';
import { log, QNLogLevel, setLogLevel } from './log';
import { type MediaEvent } from './stats';

Emitter.onListenerError = (error) => log(QNLogLevel.ERROR, 'a listener threw', error);

declare const __VERSION__: string;

/** The entrance. */
export default class QNRTC {
  static get VERSION(): string {
    return __VERSION__;
  }
  static setConfig(config: QNRTCConfig): void {
    setConfig(config);
  }
  static setLogLevel(level: QNLogLevel): void {
    setLogLevel(level);
  }
  static createClient(): QNRTCClient {
    return new QNRTCClient();
  }

  /** For `bindstatechange` of `live-player`. */
  static updatePlayerStateChange(event: MediaEvent): void {
    for (const client of active) client.notePlayer(event);
  }
  /** For `bindnetstatus` of `live-player`. */
  static updatePlayerNetStatus(event: MediaEvent): void {
    for (const client of active) client.notePlayer(event);
  }
  /** For `bindstatechange` of `live-pusher`. */
  static updatePusherStateChange(event: MediaEvent): void {
    for (const client of active) client.notePusher(event);
  }
  /** For `bindnetstatus` of `live-pusher`. */
  static updatePusherNetStatus(event: MediaEvent): void {
    for (const client of active) client.notePusher(event);
  }
}

export {
  QNConnectionDisconnectedReason, QNConnectionState, QNPublishStatus, QNRTCClient,
} from './client';
export type {
  QNClientEvents, QNConnectionDisconnectedInfo, QNCustomMessage, QNMixedAudioCallback, QNMixedAudioConfig, QNPublishCallback,
  QNPublishCallbackData, QNSubscribeConfig,
} from './client';
export { QNLogLevel } from './log';
export { QNRenderMode } from './live';
export type {
  QNDirectLiveStreamingConfig, QNLiveStreamingConfig, QNTranscodingLiveStreamingConfig, QNTranscodingLiveStreamingImage,
  QNTranscodingLiveStreamingTrack,
} from './live';
export type { QNRTCConfig } from './config';
export type { MediaEvent, MediaStats, QNStats } from './stats';
export { QNLocalTrack, QNMediaType, QNRemoteTrack, QNRemoteUser, QNTrack } from './tracks';
export {
  Code as QNErrorCode, defaultReconnectPolicy, NetworkError, ParameterError, QNRTCError, ServerError, StateError, TokenError,
} from '../../core/src/index';
export type { ErrorReason, ReconnectContext, ReconnectPolicy, Transport } from '../../core/src/index';
