/** The event object of a `live-pusher` or `live-player`, as far as it is read. */
export interface MediaEvent {
  readonly detail?: { readonly code?: number; readonly message?: string; readonly info?: Readonly<Record<string, unknown>> };
  readonly currentTarget?: { readonly id?: string };
  readonly target?: { readonly id?: string };
}

/** What a component said last about its stream. Absent figures were not reported. */
export interface MediaStats {
  /** The last state code. */
  stateCode?: number;
  updatedAtMs: number;
  videoBitrateBps?: number;
  audioBitrateBps?: number;
  videoFps?: number;
  videoGopSeconds?: number;
  videoWidth?: number;
  videoHeight?: number;
  networkSpeedBps?: number;
  networkJitterMs?: number;
  /** Milliseconds of media that wait to be played. */
  videoCacheMs?: number;
  audioCacheMs?: number;
  /** 0 unknown, 1 best ... 6 worst, as the component counts. */
  networkQualityLevel?: number;
}

export interface QNStats {
  publisher: MediaStats | undefined;
  /** By the id of the `live-player` element. */
  players: Record<string, MediaStats>;
}

export const MAX_PLAYERS = 64;

type Figure = Exclude<keyof MediaStats, 'stateCode' | 'updatedAtMs'>;
/** name in `netstatus` -> [name here, factor] */
const FIGURES: Readonly<Record<string, readonly [Figure, number]>> = {
  videoBitrate: ['videoBitrateBps', 1000],
  audioBitrate: ['audioBitrateBps', 1000],
  videoFPS: ['videoFps', 1],
  videoGOP: ['videoGopSeconds', 1],
  videoWidth: ['videoWidth', 1],
  videoHeight: ['videoHeight', 1],
  netSpeed: ['networkSpeedBps', 1000],
  netJitter: ['networkJitterMs', 1],
  videoCache: ['videoCacheMs', 1],
  audioCache: ['audioCacheMs', 1],
  netQualityLevel: ['networkQualityLevel', 1],
};

export const elementId = (event: MediaEvent): string => event?.currentTarget?.id || event?.target?.id || 'player';

/** Collects what the app hands over from its components. */
export class StatsBook {
  private publisher: MediaStats | undefined;
  private readonly players = new Map<string, MediaStats>();

  note(who: 'publisher' | { readonly player: string }, event: MediaEvent, nowMs: number): void {
    const old = who === 'publisher' ? this.publisher : this.players.get(who.player);
    const next: MediaStats = { ...old, updatedAtMs: nowMs };
    const { code, info } = event?.detail ?? {};
    if (typeof code === 'number') next.stateCode = code;
    for (const [name, value] of Object.entries(info ?? {})) {
      const figure = Object.prototype.hasOwnProperty.call(FIGURES, name) ? FIGURES[name] : undefined;
      const number = Number(value);
      if (figure && Number.isFinite(number)) next[figure[0]] = number * figure[1];
    }
    if (who === 'publisher') {
      this.publisher = next;
      return;
    }
    this.players.delete(who.player);
    this.players.set(who.player, next);
    if (this.players.size > MAX_PLAYERS) this.players.delete(this.players.keys().next().value as string);
  }

  forget(player?: string): void {
    if (player !== undefined) {
      this.players.delete(player);
      return;
    }
    this.publisher = undefined;
    this.players.clear();
  }

  read(): QNStats {
    const players: Record<string, MediaStats> = {};
    for (const [id, stats] of this.players) players[id] = { ...stats };
    return { publisher: this.publisher && { ...this.publisher }, players };
  }
}
