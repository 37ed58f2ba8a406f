// Room tokens from the server's demo token service, or from the invitation link.

import { problemFromTokenStatus, type Problem } from '../logic/errors';
import { readToken } from '../logic/token';

const kApp = 'demo';
const kTimeoutMs = 8000;

export class TokenError extends Error {
  constructor(readonly problem: Problem) {
    super(problem);
  }
}

async function getText(path: string): Promise<string> {
  let response: Response;
  try {
    response = await fetch(path, { signal: AbortSignal.timeout(kTimeoutMs), cache: 'no-store' });
  } catch {
    throw new TokenError(problemFromTokenStatus(0));
  }
  if (!response.ok) throw new TokenError(problemFromTokenStatus(response.status));
  return (await response.text()).trim();
}

export async function fetchToken(room: string, user: string, admin: boolean): Promise<string> {
  const token = await getText(`/v1/rtc/token/${admin ? 'admin/' : ''}app/${kApp}/room/${room}/user/${user}`);
  // A page server without the service answers with the page itself.
  if (!readToken(token)) throw new TokenError('noTokenService');
  return token;
}

/** Whether nobody is in the room yet; the first person becomes its host. Any doubt is a no. */
export async function isRoomEmpty(room: string): Promise<boolean> {
  try {
    const answer: unknown = JSON.parse(await getText(`/v1/rtc/users/app/${kApp}/room/${room}`));
    const users = Array.isArray(answer) ? answer : (answer as { users?: unknown } | null)?.users;
    return users === null || (Array.isArray(users) && users.length === 0);
  } catch (error) {
    // An unknown room has nobody in it.
    return error instanceof TokenError && error.problem === 'noTokenService';
  }
}

/** Any answer will do: the library itself would ask a silent server again and again without an end. */
export async function assertReachable(): Promise<void> {
  try {
    await getText('/healthz');
  } catch (error) {
    if (error instanceof TokenError && error.problem === 'unreachable') throw error;
  }
}
