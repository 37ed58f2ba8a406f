// The entry of the lazily loaded part: the guards must stand before the library is evaluated.

import type { CallSession, JoinRequest } from '../call/model';
import { installNetworkGuards } from './network';

/** Fetches the library ahead of a join; call it after the first touch, when its audio context may run. */
export async function preload(): Promise<void> {
  installNetworkGuards();
  await Promise.all([import('./session'), import('../call/CallPage.vue')]);
}

export async function createSession(request: JoinRequest): Promise<CallSession> {
  installNetworkGuards();
  const { RtcSession } = await import('./session');
  return new RtcSession(request);
}
