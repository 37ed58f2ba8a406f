import {
  DEFAULT_CONFIG, defaultReconnectPolicy, ParameterError,
  type Config, type ReconnectPolicy, type Transport,
} from '../../core/src/index';

export interface QNRTCConfig {
  /** Address of the gateway: `wss://host/` or, in tests, `ws://`. Its host belongs into the mini program's socket domains. */
  server?: string;
  /** What players pull; `rtmp` unless told otherwise. */
  transport?: Transport;
  /** Origin of HTTP-FLV, if it is not the host of `server`. */
  flvOrigin?: string;
  /** How long to try to come back before `DISCONNECTED` with 21003. 30000 unless told otherwise. */
  reconnectTimeoutMs?: number;
  /** Replaces the whole policy. */
  reconnectPolicy?: ReconnectPolicy;
  /** Join again with the room token when the server forgot the session. True unless told otherwise. */
  rejoin?: boolean;
  /** Start components again after background, phone calls and losses. True unless told otherwise. */
  autoResume?: boolean;
}

export let current: Readonly<QNRTCConfig> = {};

export function setConfig(change: QNRTCConfig): void {
  if (!change || typeof change !== 'object') throw new ParameterError('setConfig wants an object');
  if (change.server !== undefined && !/^wss?:\/\/[^/?#]+/.test(change.server)) {
    throw new ParameterError('server has to look like wss://host/');
  }
  if (change.transport !== undefined && change.transport !== 'rtmp' && change.transport !== 'flv') {
    throw new ParameterError('transport is rtmp or flv');
  }
  current = { ...current, ...change };
}

export function coreConfig(): Config {
  const { server, reconnectPolicy, reconnectTimeoutMs, rejoin } = current;
  return {
    ...DEFAULT_CONFIG,
    server: server ?? '',
    policy: reconnectPolicy ?? defaultReconnectPolicy(reconnectTimeoutMs === undefined ? {} : { giveUpMs: reconnectTimeoutMs }),
    rejoin: rejoin ?? true,
  };
}
