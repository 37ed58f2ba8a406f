// What the live page makes of a room's state.
import { qualityOf, type Quality as Grade } from '../../logic/stats';
import type { Schema } from '../api/client';

export type Member = Schema['Member'];
export type Track = Schema['Track'];

/** The published clients send the display name as `userData`; our pages as plain text, others as JSON. */
export function displayName({ userId, userData }: Pick<Member, 'userId' | 'userData'>): string {
  const text = userData.trim();
  if (!text) return userId;
  if (text.startsWith('{')) {
    try {
      const data = JSON.parse(text) as Record<string, unknown>;
      for (const key of ['name', 'nickname', 'nickName', 'userName', 'displayName']) {
        const value = data[key];
        if (typeof value === 'string' && value.trim()) return value.trim();
      }
      return userId;
    } catch {
      return text;
    }
  }
  return text;
}

export function grade(quality: Member['quality']): Grade {
  if (!quality || (quality.upLossPercent === undefined && quality.downLossPercent === undefined && quality.rttMs === undefined)) return 0;
  return qualityOf(Math.max(quality.upLossPercent ?? 0, quality.downLossPercent ?? 0) / 100, quality.rttMs ?? 0);
}

/** What a meter shows of a level: speech is between -50 and -10 dBov. */
export const levelShare = (dbov: number): number => Math.min(1, Math.max(0, (dbov + 60) / 60));

/** How soon to ask for the room again: a meter wants to move, a large room's state is long. */
export function renewMs(state: { members: readonly unknown[]; tracks: readonly Pick<Track, 'kind' | 'muted'>[] } | undefined): number {
  const sounds = state?.tracks.some((t) => t.kind === 'audio' && !t.muted) ?? false;
  return sounds && state!.members.length <= 30 ? 700 : 2_000;
}

export function tracksOf(member: Member, tracks: readonly Track[]): Track[] {
  return tracks.filter((t) => t.userId === member.userId).sort((a, b) => a.kind.localeCompare(b.kind) || a.tag.localeCompare(b.tag) || a.trackId.localeCompare(b.trackId));
}

type Point = Schema['Quality'];
/** What each member sent and received of late, for the small lines. One point for each interval however often the page asks;
 *  members that left are forgotten. */
export function remember(history: ReadonlyMap<string, Point[]>, members: readonly Member[], keep: number): Map<string, Point[]> {
  return new Map(
    members.map(({ userId, quality }) => {
      const points = history.get(userId) ?? [];
      return [userId, quality && quality.at !== points.at(-1)?.at ? [...points, quality].slice(-keep) : points];
    }),
  );
}
export const kbpsOf = (point: Point): number => (point.upKbps ?? 0) + (point.downKbps ?? 0);
