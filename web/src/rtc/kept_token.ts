// The room token that an invitation link brought, kept for this window.

import { readToken } from '../logic/token';

const kStorageKey = 'parley.token';

export function keepToken(token: string): void {
  try {
    sessionStorage.setItem(kStorageKey, token);
  } catch {
    // Without storage a reload needs the link again.
  }
}

/** The token kept for this room; empty when there is none. */
export function keptToken(room: string): string {
  try {
    const token = sessionStorage.getItem(kStorageKey) ?? '';
    return token && readToken(token)?.roomName === room ? token : '';
  } catch {
    return '';
  }
}

export function forgetToken(): void {
  try {
    sessionStorage.removeItem(kStorageKey);
  } catch {
    // Nothing was kept.
  }
}
