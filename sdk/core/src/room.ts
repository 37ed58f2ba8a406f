import { num, objects, str } from './wire';

export type Kind = 'audio' | 'video';

export interface UserInfo {
  readonly userId: string;
  readonly userData: string;
}

export interface TrackInfo {
  readonly trackId: string;
  readonly userId: string;
  readonly kind: Kind;
  readonly tag: string;
  readonly muted: boolean;
  readonly master: boolean;
  readonly version: number;
  /** Layers on offer, best first; empty if there is only one. */
  readonly profiles: readonly string[];
}

/** Everybody else in the room and what they publish. Never changed in place. */
export interface Room {
  readonly users: ReadonlyMap<string, UserInfo>;
  readonly tracks: ReadonlyMap<string, TrackInfo>;
}

export const EMPTY_ROOM: Room = { users: new Map(), tracks: new Map() };

export interface CustomMessage {
  readonly id: string;
  readonly userId: string;
  readonly text: string;
  readonly timestampMs: number;
}

export type RoomEvent =
  | { readonly type: 'user-joined'; readonly user: UserInfo }
  | { readonly type: 'user-left'; readonly userId: string }
  | { readonly type: 'tracks-added'; readonly userId: string; readonly tracks: readonly TrackInfo[] }
  | { readonly type: 'tracks-removed'; readonly userId: string; readonly tracks: readonly TrackInfo[] }
  | { readonly type: 'mute-changed'; readonly track: TrackInfo }
  | { readonly type: 'message'; readonly message: CustomMessage };

export function readUsers(value: unknown, self: string): UserInfo[] {
  const users: UserInfo[] = [];
  for (const o of objects(value)) {
    const userId = str(o.playerid);
    if (userId && userId !== self) users.push({ userId, userData: str(o.playerdata) });
  }
  return users;
}

export function readTracks(value: unknown): TrackInfo[] {
  const tracks: TrackInfo[] = [];
  for (const o of objects(value)) {
    const trackId = str(o.trackid);
    if (!trackId || (o.kind !== 'audio' && o.kind !== 'video')) continue;
    tracks.push({
      trackId,
      userId: str(o.playerid),
      kind: o.kind,
      tag: str(o.tag),
      muted: o.muted === true,
      master: o.master === true,
      version: num(o.versionid) || 0,
      profiles: Array.isArray(o.profiles) ? o.profiles.filter((p): p is string => typeof p === 'string') : [],
    });
  }
  return tracks;
}

function byUser(tracks: readonly TrackInfo[]): Map<string, TrackInfo[]> {
  const groups = new Map<string, TrackInfo[]>();
  for (const track of tracks) {
    const group = groups.get(track.userId);
    if (group) group.push(track);
    else groups.set(track.userId, [track]);
  }
  return groups;
}

type Change = readonly [Room, readonly RoomEvent[]];

export function addUser(room: Room, user: UserInfo): Change {
  const known = room.users.has(user.userId);
  const users = new Map(room.users).set(user.userId, user);
  return [{ ...room, users }, known ? [] : [{ type: 'user-joined', user }]];
}

/** His tracks go first, whatever the server said about them before. */
export function removeUser(room: Room, userId: string): Change {
  const [without, events] = removeTracks(
    room,
    [...room.tracks.values()].filter((t) => t.userId === userId).map((t) => t.trackId),
  );
  if (!room.users.has(userId)) return [without, events];
  const users = new Map(without.users);
  users.delete(userId);
  return [{ ...without, users }, [...events, { type: 'user-left', userId }]];
}

export function addTracks(room: Room, added: readonly TrackInfo[]): Change {
  const events: RoomEvent[] = [];
  const again = added.filter((t) => {
    const old = room.tracks.get(t.trackId);
    return old !== undefined && old.version !== t.version;
  });
  let [now, removed] = removeTracks(room, again.map((t) => t.trackId));
  events.push(...removed);
  const fresh = added.filter((t) => !now.tracks.has(t.trackId));
  if (!fresh.length) return [now, events];
  const tracks = new Map(now.tracks);
  for (const t of fresh) tracks.set(t.trackId, t);
  for (const [userId, list] of byUser(fresh)) events.push({ type: 'tracks-added', userId, tracks: list });
  now = { ...now, tracks };
  return [now, events];
}

export function removeTracks(room: Room, ids: readonly string[]): Change {
  const gone: TrackInfo[] = [];
  const tracks = new Map(room.tracks);
  for (const id of ids) {
    const track = tracks.get(id);
    if (!track) continue;
    tracks.delete(id);
    gone.push(track);
  }
  if (!gone.length) return [room, []];
  const events = [...byUser(gone)].map(([userId, list]): RoomEvent => ({ type: 'tracks-removed', userId, tracks: list }));
  return [{ ...room, tracks }, events];
}

export function setMuted(room: Room, trackId: string, muted: boolean): Change {
  const track = room.tracks.get(trackId);
  if (!track || track.muted === muted) return [room, []];
  const changed = { ...track, muted };
  return [{ ...room, tracks: new Map(room.tracks).set(trackId, changed) }, [{ type: 'mute-changed', track: changed }]];
}

/**
 * What happened while nobody listened: from the room as it was to the lists of a fresh `auth-res`. With `renewed` every
 * track goes and comes, because addresses given out for it are worth nothing any more.
 */
export function reconcile(room: Room, users: readonly UserInfo[], tracks: readonly TrackInfo[], renewed: boolean): Change {
  const events: RoomEvent[] = [];
  let now = room;
  const apply = ([next, more]: Change): void => {
    now = next;
    events.push(...more);
  };
  const wantedTracks = new Set(tracks.map((t) => t.trackId));
  const wantedUsers = new Set(users.map((u) => u.userId));
  apply(removeTracks(now, [...now.tracks.keys()].filter((id) => renewed || !wantedTracks.has(id))));
  for (const userId of now.users.keys()) if (!wantedUsers.has(userId)) apply(removeUser(now, userId));
  for (const user of users) apply(addUser(now, user));
  apply(addTracks(now, tracks));
  for (const t of tracks) apply(setMuted(now, t.trackId, t.muted));
  return [now, events];
}
