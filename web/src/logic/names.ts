// Names of rooms and people, and what the address bar says about them.

const kRoomPattern = /^[A-Za-z0-9_-]{1,64}$/;
const kUserPattern = /^[A-Za-z0-9_-]{1,50}$/;
export const kMaxDisplayName = 40;

export const isRoomName = (name: string): boolean => kRoomPattern.test(name);
export const isUserId = (id: string): boolean => kUserPattern.test(id);

/** A display name as others will see it: one line, no control characters, bounded. */
export function cleanDisplayName(name: string): string {
  const oneLine = name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').replace(/\s+/g, ' ').trim();
  return [...oneLine].slice(0, kMaxDisplayName).join('').trim();
}

/** A user id that tells a reader of the server's log who it was, made unique by `suffix` ([A-Za-z0-9]). */
export function userIdFrom(displayName: string, suffix: string): string {
  const stem = displayName
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .toLowerCase()
    .slice(0, 50 - suffix.length - 1)
    .replace(/-+$/, '');
  return `${stem || 'guest'}-${suffix}`;
}

/** Letters that are hard to mistake for each other when read aloud. */
const kLetters = 'abcdefghjkmnpqrstuvwxyz';

export function randomLetters(count: number, random: (below: number) => number): string {
  let text = '';
  for (let i = 0; i < count; i++) text += kLetters[random(kLetters.length)];
  return text;
}

/** A room name that nobody guesses and that can be read over the telephone: `abc-defg-hjk`. */
export function randomRoomName(random: (below: number) => number): string {
  return `${randomLetters(3, random)}-${randomLetters(4, random)}-${randomLetters(3, random)}`;
}

/** What people paste into the room field: a name, or the whole invitation link. */
export function roomFromInput(input: string): string {
  const text = input.trim();
  const match = /\/r\/([A-Za-z0-9_-]{1,64})(?:[?#/].*)?$/.exec(text);
  return match?.[1] ?? text.replace(/\s+/g, '-');
}

export interface Place {
  room: string;
  token: string;
  admin: boolean;
  mock: number;
}

/** Reads `/r/<room>`, `/call?room=`, `?admin=1` and `#token=`. */
export function placeFromLocation(pathname: string, search: string, hash: string): Place {
  const query = new URLSearchParams(search);
  const fragment = new URLSearchParams(hash.replace(/^#/, ''));
  let room = '';
  if (pathname.startsWith('/r/')) {
    try {
      room = decodeURIComponent(pathname.slice(3).replace(/\/+$/, ''));
    } catch {
      room = '';
    }
  } else {
    room = query.get('room') ?? '';
  }
  return {
    room: isRoomName(room) ? room : '',
    // A '+' of base64 means a space to URLSearchParams.
    token: (fragment.get('token') ?? '').replace(/ /g, '+'),
    admin: query.get('admin') === '1',
    mock: Math.max(0, Math.min(12, Number(query.get('mock') ?? 0) || 0)),
  };
}

export const inviteLink = (origin: string, room: string): string => `${origin}/r/${room}`;

/** One or two characters that stand for a person who shows no picture. */
export function initials(name: string): string {
  const words = name.trim().split(/[\s._-]+/).filter(Boolean);
  const first = words[0];
  if (!first) return '?';
  const letters = [...first];
  if (/\p{Script=Han}/u.test(first)) return letters.slice(-2).join('');
  const last = words.length > 1 ? [...(words[words.length - 1] ?? '')][0] : undefined;
  return ((letters[0] ?? '') + (last ?? '')).toUpperCase();
}

/** A steady number for a text, to give each person a colour. */
export function hashOf(text: string): number {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return hash >>> 0;
}

/** Whether a link with this host leads other people's browsers to themselves. */
export const isLoopbackHost = (host: string): boolean => /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
