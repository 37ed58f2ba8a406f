import { sink } from './wx';

export enum QNLogLevel {
  VERBOSE = 'VERBOSE',
  INFO = 'INFO',
  WARNING = 'WARNING',
  ERROR = 'ERROR',
  NONE = 'NONE',
}

const ORDER = [QNLogLevel.VERBOSE, QNLogLevel.INFO, QNLogLevel.WARNING, QNLogLevel.ERROR, QNLogLevel.NONE];
let threshold = ORDER.indexOf(QNLogLevel.WARNING);

export function setLogLevel(level: QNLogLevel): void {
  const at = ORDER.indexOf(level);
  if (at >= 0) threshold = at;
}

/** Tokens and addresses of streams are secrets: callers log names and codes only. */
export function log(level: QNLogLevel, text: string, ...values: unknown[]): void {
  const at = ORDER.indexOf(level);
  if (at < threshold) return;
  const method = at >= 3 ? 'error' : at === 2 ? 'warn' : at === 1 ? 'info' : 'log';
  sink[method](`[parley] ${text}`, ...values);
}
