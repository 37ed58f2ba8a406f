// Every way in which a call can fail to start or come to an end, as the reader is told about it.

export const kProblems = [
  'noCamera', 'noMicrophone', 'permission', 'deviceBusy', 'insecure', 'unsupported', 'screenDenied',
  'tokenInvalid', 'tokenExpired', 'roomFull', 'roomClosed', 'kicked', 'elsewhere', 'unreachable',
  'noTokenService', 'connectionLost', 'notAllowed', 'serverBusy', 'mediaRefused', 'unknown',
] as const;

export type Problem = (typeof kProblems)[number];

/** What helps: come back by ourselves, let the person try again, or nothing but going back to the lobby. */
export type Remedy = 'auto' | 'retry' | 'leave';

export function problemFromCode(code: number | undefined): Problem {
  switch (code) {
    case 10001: return 'tokenInvalid';
    case 10002: return 'tokenExpired';
    case 10004: return 'connectionLost';
    case 10005: return 'roomClosed';
    case 10006: return 'kicked';
    case 10007: return 'connectionLost';
    case 10011: return 'roomFull';
    case 10012: return 'roomClosed';
    case 10022: return 'elsewhere';
    case 10051: return 'notAllowed';
    case 10052: return 'serverBusy';
    case 10054: return 'mediaRefused';
    case 21001: return 'unreachable';
    case 21003: return 'connectionLost';
    default: return 'unknown';
  }
}

/**
 * What ended a session that was up. A server that was restarted no longer knows the session's own tokens or the room,
 * which says nothing about the person's right to be there: only a fresh join can tell.
 */
export function problemOfLoss(code: number | undefined, whileReconnecting: boolean): Problem {
  if (whileReconnecting && (code === 10001 || code === 10002 || code === 10012)) return 'connectionLost';
  return problemFromCode(code);
}

export function remedyFor(problem: Problem): Remedy {
  switch (problem) {
    // The room or this session is gone on the server (a restart): a fresh join with a new token mends it.
    case 'connectionLost':
    case 'serverBusy':
      return 'auto';
    case 'kicked':
    case 'elsewhere':
    case 'roomClosed':
      return 'leave';
    default:
      return 'retry';
  }
}

export type DeviceKind = 'camera' | 'microphone' | 'screen';

/** Maps what getUserMedia and getDisplayMedia reject with; the client library hands some through as its own codes. */
export function problemFromMedia(error: unknown, kind: DeviceKind): Problem {
  const { name = '', code = 0 } = (error ?? {}) as { name?: string; code?: number };
  if (kind === 'screen' && (name === 'NotAllowedError' || code === 23004 || code === 23005)) return 'screenDenied';
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'permission';
    case 'NotFoundError':
    case 'OverconstrainedError':
    case 'DevicesNotFoundError':
      return kind === 'microphone' ? 'noMicrophone' : 'noCamera';
    case 'NotReadableError':
    case 'AbortError':
    case 'TrackStartError':
      return 'deviceBusy';
    default:
      if (code === 23004 || code === 23005) return 'permission';
      return 'unknown';
  }
}

/** Maps the answer of the token service; status 0 stands for no answer at all. */
export function problemFromTokenStatus(status: number): Problem {
  if (status === 0 || status >= 502) return 'unreachable';
  if (status === 404 || status === 405 || status === 501) return 'noTokenService';
  if (status === 401 || status === 403) return 'notAllowed';
  if (status === 429 || status === 500) return 'serverBusy';
  return 'unknown';
}
