/** Asked before each attempt to reach the gateway. Pure: clock and dice are arguments. */
export interface ReconnectPolicy {
  /**
   * Milliseconds to wait before attempt number `attempt` (0 is the first), or undefined to give up.
   * `elapsedMs` is the time since the connection was lost (or since `join()`), `roll` a number in [0, 1).
   */
  nextDelay(context: ReconnectContext): number | undefined;
}

export interface ReconnectContext {
  readonly phase: 'join' | 'reconnect';
  readonly attempt: number;
  readonly elapsedMs: number;
  readonly closeCode: number;
  readonly roll: number;
}

/** The server asks for patience with these: it restarts, or has too much to do. */
const SERVER_BUSY = new Set([1012, 1013, 1014]);

/**
 * Soon the first time, then 0.5, 1, 2, 4, 4 ... s with up to a quarter less, so that a full room does not come back in one
 * instant. A join gives up after 3 attempts, a reconnection after `giveUpMs`.
 */
export function defaultReconnectPolicy({ giveUpMs = 30_000, joinAttempts = 3 } = {}): ReconnectPolicy {
  return {
    nextDelay({ phase, attempt, elapsedMs, closeCode, roll }) {
      if (phase === 'join' ? attempt >= joinAttempts : elapsedMs >= giveUpMs) return undefined;
      const base = attempt === 0 ? (SERVER_BUSY.has(closeCode) ? 1000 : 200) : Math.min(4000, 250 * 2 ** attempt);
      return Math.round(base * (1 - roll / 4));
    },
  };
}
