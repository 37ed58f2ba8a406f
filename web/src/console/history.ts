// What is known of a room in a time: quality with events, or the events alone where the server keeps no figures.
import { answer, ApiError } from './api/client';
import type { History, RoomEvent } from './logic/quality';
import type { Range } from './logic/range';
import { api } from './session';

const kPage = 1000;
/** The log is read from its begin; a room with more events than this shows its oldest. */
const kMaxPages = 20;

/** `kept`: the server keeps figures of quality. */
export async function loadHistory(appId: string, room: string, { fromMs, toMs }: Range, signal: AbortSignal): Promise<History & { kept: boolean }> {
  const query = { from: Math.floor(fromMs / 1000), to: Math.ceil(toMs / 1000) };
  try {
    const history = await answer(api().GET('/x1/apps/{appId}/rooms/{room}/quality', { params: { path: { appId, room }, query }, signal }));
    return { ...history, kept: true };
  } catch (error) {
    if (!(error instanceof ApiError && error.trouble === 'unavailable')) throw error;
  }
  const events: RoomEvent[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < kMaxPages; page++) {
    const got = await answer(api().GET('/x1/apps/{appId}/events', { params: { path: { appId }, query: { room, limit: kPage, ...(cursor ? { cursor } : {}) } }, signal }));
    events.push(...got.events.filter((e) => e.ts >= fromMs && e.ts < toMs));
    cursor = got.next;
    if (got.events.length < kPage || !cursor) break;
  }
  return { grainS: 10, members: [], events, kept: false };
}
