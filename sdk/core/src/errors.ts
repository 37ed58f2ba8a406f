/** Codes that the clients of this protocol know. Numbers are part of the public interface and never change. */
export const Code = {
  OK: 0,
  /** The token, or the session it once opened, is wrong. */
  TOKEN_ERROR: 10001,
  TOKEN_EXPIRED: 10002,
  RECONNECT_TOKEN_ERROR: 10004,
  ROOM_CLOSED: 10005,
  KICKED_OUT: 10006,
  ROOM_FULL: 10011,
  ROOM_NOT_EXIST: 10012,
  /** The same user joined from another device. */
  PLAYER_ALREADY_EXIST: 10022,
  TRACK_NOT_EXIST: 10041,
  NO_PERMISSION: 10051,
  SERVER_UNAVAILABLE: 10052,
  INVALID_PARAMETER: 10053,
  MEDIA_CAP_NOT_SUPPORT: 10054,
  STREAM_ALREADY_EXIST: 10077,
  /** The gateway cannot be reached. */
  AUTH_FAILED: 21001,
  /** The call makes no sense now: not joined, joined already, left. */
  INVALID_STATE: 21002,
  RECONNECT_FAILED: 21003,
  TIMEOUT: 21004,
  /** Something the client did not expect. */
  FATAL: 21005,
} as const;

/** What kind of trouble it is: a caller can switch over it without knowing each number. */
export type ErrorReason =
  | 'token'
  | 'refused'
  | 'parameter'
  | 'state'
  | 'network'
  | 'timeout'
  | 'server'
  | 'ended'
  | 'unexpected';

function reasonOf(code: number): ErrorReason {
  switch (code) {
    case Code.TOKEN_ERROR:
    case Code.TOKEN_EXPIRED:
    case Code.RECONNECT_TOKEN_ERROR:
      return 'token';
    case Code.ROOM_FULL:
    case Code.ROOM_NOT_EXIST:
    case Code.NO_PERMISSION:
    case Code.TRACK_NOT_EXIST:
    case Code.STREAM_ALREADY_EXIST:
    case Code.MEDIA_CAP_NOT_SUPPORT:
      return 'refused';
    case Code.ROOM_CLOSED:
    case Code.KICKED_OUT:
    case Code.PLAYER_ALREADY_EXIST:
      return 'ended';
    case Code.INVALID_PARAMETER:
      return 'parameter';
    case Code.SERVER_UNAVAILABLE:
      return 'server';
    case Code.AUTH_FAILED:
    case Code.RECONNECT_FAILED:
      return 'network';
    case Code.INVALID_STATE:
      return 'state';
    case Code.TIMEOUT:
      return 'timeout';
    default:
      return code >= 10000 && code < 20000 ? 'server' : 'unexpected';
  }
}

/** Every error this SDK throws or rejects with. `code` is stable, `reason` groups codes, `message` is for logs. */
export class QNRTCError extends Error {
  override readonly name: string = 'QNRTCError';
  readonly reason: ErrorReason;

  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message);
    this.reason = reasonOf(code);
  }
}

/** The token does not open the room: malformed, wrong, expired. */
export class TokenError extends QNRTCError {
  override readonly name = 'TokenError';
}
/** The server said no, or ended the session. */
export class ServerError extends QNRTCError {
  override readonly name = 'ServerError';
}
/** The gateway was not reached, or was lost for too long. */
export class NetworkError extends QNRTCError {
  override readonly name = 'NetworkError';
}
/** The call came at the wrong time. */
export class StateError extends QNRTCError {
  override readonly name = 'StateError';
  constructor(message: string) {
    super(Code.INVALID_STATE, message);
  }
}
/** An argument is unusable. */
export class ParameterError extends QNRTCError {
  override readonly name = 'ParameterError';
  constructor(message: string) {
    super(Code.INVALID_PARAMETER, message);
  }
}

/** The error for a code that the server sent. */
export function serverError(code: number, message: string): QNRTCError {
  const text = message || `the server answered ${code}`;
  return reasonOf(code) === 'token' ? new TokenError(code, text) : new ServerError(code, text);
}
