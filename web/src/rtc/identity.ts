// Who this window is. A reload keeps its user id, so that the old session is replaced and no ghost stays behind.

import { isUserId, randomLetters, userIdFrom } from '../logic/names';

export const secureRandom = (below: number): number => (crypto.getRandomValues(new Uint32Array(1))[0] ?? 0) % below;

export function identityFor(room: string, displayName: string): string {
  const key = `parley.user.${room}.${displayName}`;
  try {
    const known = sessionStorage.getItem(key);
    if (known && isUserId(known)) return known;
    const made = userIdFrom(displayName, randomLetters(6, secureRandom));
    sessionStorage.setItem(key, made);
    return made;
  } catch {
    return userIdFrom(displayName, randomLetters(6, secureRandom));
  }
}
