// What is known of a room in a time: quality of each member, with events.
import { answer } from './api/client';
import type { History } from './logic/quality';
import type { Range } from './logic/range';
import { api } from './session';

export function loadHistory(appId: string, room: string, { fromMs, toMs }: Range, signal: AbortSignal): Promise<History> {
  const query = { from: Math.floor(fromMs / 1000), to: Math.ceil(toMs / 1000) };
  return answer(api().GET('/x1/apps/{appId}/rooms/{room}/quality', { params: { path: { appId, room }, query }, signal }));
}
