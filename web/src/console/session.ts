// Who is signed in. The secret lives in this tab: in memory as a key that scripts cannot read back, and, if wanted, in
// sessionStorage, so that a reload does not ask for it again. It is never sent.
import { computed, shallowRef } from 'vue';
import { answer, ApiError, createApi, type Api, type Credentials, type Schema } from './api/client';
import { importSecret, roomToken, type TokenClaims } from './api/signing';

const kStorageKey = 'parley.console.key';

interface Session extends Credentials {
  api: Api;
  account: Schema['Account'];
}

const session = shallowRef<Session | null>(null);
/** The server refused the key while it was in use. */
export const turnedAway = shallowRef(false);

export const signedIn = computed(() => session.value !== null);
export const account = computed(() => session.value?.account);

export function api(): Api {
  if (!session.value) throw new ApiError('credentials', 401, 'signed out');
  return session.value.api;
}

export async function signIn(accessKey: string, secretKey: string, keep: boolean): Promise<void> {
  const key = await importSecret(secretKey);
  const client = createApi({ accessKey, key }, location.origin);
  const account = await answer(client.GET('/x1/account'));
  session.value = { accessKey, key, api: client, account };
  turnedAway.value = false;
  try {
    if (keep) sessionStorage.setItem(kStorageKey, JSON.stringify([accessKey, secretKey]));
    else sessionStorage.removeItem(kStorageKey);
  } catch {
    // Without storage a reload asks again.
  }
}

export function signOut(refused = false): void {
  session.value = null;
  turnedAway.value = refused;
  try {
    sessionStorage.removeItem(kStorageKey);
  } catch {
    // Nothing was kept.
  }
}

/** Comes back after a reload. Nothing happens when the server cannot be asked: the sign-in page then says why. */
export async function resume(): Promise<void> {
  let kept: unknown;
  try {
    kept = JSON.parse(sessionStorage.getItem(kStorageKey) ?? 'null');
  } catch {
    return;
  }
  if (!Array.isArray(kept) || typeof kept[0] !== 'string' || typeof kept[1] !== 'string') return;
  try {
    await signIn(kept[0], kept[1], true);
  } catch (error) {
    if (error instanceof ApiError && error.trouble === 'credentials') signOut(true);
  }
}

export function makeToken(claims: TokenClaims): Promise<string> {
  if (!session.value) throw new ApiError('credentials', 401, 'signed out');
  return roomToken(session.value.accessKey, session.value.key, claims);
}
