// The part of `wx` that this package uses. test/types.ts checks it against WeChat's own declarations.

export interface WxSocketTask {
  onOpen(listener: () => void): void;
  onClose(listener: (result: { code: number; reason?: string }) => void): void;
  onError(listener: (result: { errMsg: string }) => void): void;
  onMessage(listener: (result: { data: string | ArrayBuffer }) => void): void;
  send(options: { data: string; fail?: (result: { errMsg: string }) => void }): void;
  close(options?: { code?: number; reason?: string }): void;
}

/** What `live-pusher` and `live-player` contexts have in common here. */
export interface WxMediaContext {
  start?(options?: object): void;
  play?(options?: object): void;
  stop?(options?: object): void;
  resume?(options?: object): void;
}

type Subscribe<T> = (listener: (result: T) => void) => void;

export interface WxApi {
  connectSocket(options: { url: string; fail?: (result: { errMsg: string }) => void }): WxSocketTask;
  createLivePusherContext?(): WxMediaContext;
  createLivePlayerContext?(id: string, component?: unknown): WxMediaContext;
  onAppShow?: Subscribe<unknown>;
  offAppShow?: Subscribe<unknown>;
  onAppHide?: Subscribe<unknown>;
  offAppHide?: Subscribe<unknown>;
  onNetworkStatusChange?: Subscribe<object>;
  offNetworkStatusChange?: Subscribe<object>;
  onAudioInterruptionEnd?: Subscribe<unknown>;
  offAudioInterruptionEnd?: Subscribe<unknown>;
}

declare const wx: WxApi;
declare const setTimeout: (run: () => void, delayMs: number) => unknown;
declare const clearTimeout: (handle: unknown) => void;
declare const console: Record<'log' | 'info' | 'warn' | 'error', (...values: unknown[]) => void>;

export const getWx = (): WxApi => wx;
export const timers = {
  set: (run: () => void, delayMs: number): unknown => setTimeout(run, delayMs),
  clear: (handle: unknown): void => clearTimeout(handle),
};
export const sink = console;
