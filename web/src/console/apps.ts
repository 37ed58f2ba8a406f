// The account's apps, for the picker and the apps page.
import { shallowRef } from 'vue';
import { answer, type Schema } from './api/client';
import { api } from './session';

export const apps = shallowRef<Schema['App'][]>([]);

export async function loadApps(signal?: AbortSignal): Promise<Schema['App'][]> {
  const all: Schema['App'][] = [];
  let cursor: string | undefined;
  do {
    const page = await answer(api().GET('/x1/apps', { params: { query: { limit: 1000, ...(cursor ? { cursor } : {}) } }, ...(signal ? { signal } : {}) }));
    all.push(...page.apps);
    cursor = page.next;
  } while (cursor);
  apps.value = all;
  return all;
}

export const appName = (app: Schema['App']): string => app.title || app.appId;
