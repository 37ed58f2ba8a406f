import { decodeBase64, decodeUtf8 } from './base64';
import { Code, TokenError } from './errors';

/** What a room token says. Only the server can tell whether it is true. */
export interface Identity {
  readonly appId: string;
  readonly roomName: string;
  readonly userId: string;
}

const text = (value: unknown): value is string => typeof value === 'string' && value.length > 0;

/** Reads the third part of `accessKey:sign:access`. @throws TokenError 21005, as the clients of this protocol do. */
export function parseRoomToken(token: string): Identity {
  const part = typeof token === 'string' ? token.split(':')[2] : undefined;
  const bytes = part ? decodeBase64(part) : undefined;
  const json = bytes ? decodeUtf8(bytes) : undefined;
  let access: unknown;
  try {
    access = json === undefined ? undefined : JSON.parse(json);
  } catch {
    access = undefined;
  }
  const { appId, roomName, userId } = (access ?? {}) as Record<string, unknown>;
  if (!text(appId) || !text(roomName) || !text(userId)) throw new TokenError(Code.FATAL, 'cannot parse the room token');
  return { appId, roomName, userId };
}
