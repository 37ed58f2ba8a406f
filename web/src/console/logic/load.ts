// Asking the server for what a page shows: once, again when it is wanted, or every few seconds while somebody looks.
import { onScopeDispose, ref, shallowRef, watch, type Ref, type ShallowRef, type WatchSource } from 'vue';
import { ApiError } from '../api/client';
import { signOut } from '../session';

export interface Load<T> {
  data: ShallowRef<T | undefined>;
  error: ShallowRef<unknown>;
  loading: Ref<boolean>;
  reload: () => Promise<void>;
}

/** A key that stops working ends the session wherever that shows first. */
export function noticed(error: unknown): unknown {
  if (error instanceof ApiError && error.trouble === 'credentials') signOut(true);
  return error;
}

export function useLoad<T>(ask: (signal: AbortSignal) => Promise<T>, { everyMs, on }: { everyMs?: number | ((data: T | undefined) => number); on?: WatchSource[] } = {}): Load<T> {
  const data = shallowRef<T>();
  const error = shallowRef<unknown>();
  const loading = ref(false);
  let current: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function reload(): Promise<void> {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', tick);
    current?.abort();
    const mine = (current = new AbortController());
    loading.value = true;
    try {
      const got = await ask(mine.signal);
      if (mine.signal.aborted) return;
      data.value = got;
      error.value = undefined;
    } catch (e) {
      if (mine.signal.aborted) return;
      error.value = noticed(e);
    }
    loading.value = false;
    // What the server does not have will not be there in three seconds either.
    const final = error.value instanceof ApiError && ['unavailable', 'forbidden', 'credentials'].includes(error.value.trouble);
    if (everyMs && !final) timer = setTimeout(tick, typeof everyMs === 'number' ? everyMs : everyMs(data.value));
  }
  /** A page that nobody sees asks for nothing, and at once when it is seen again. */
  function tick(): void {
    if (document.hidden) document.addEventListener('visibilitychange', tick, { once: true });
    else void reload();
  }

  if (on) {
    watch(on, () => {
      data.value = undefined;
      void reload();
    });
  }
  onScopeDispose(() => {
    current?.abort();
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', tick);
  });
  void reload();
  return { data, error, loading, reload };
}

export interface Paged<T> extends Load<T[]> {
  hasMore: Ref<boolean>;
  more: () => Promise<void>;
}

/** A list that is asked for page by page. */
export function usePaged<T>(ask: (cursor: string | undefined, signal: AbortSignal) => Promise<{ items: T[]; next?: string | undefined }>, on?: WatchSource[]): Paged<T> {
  const next = ref<string>();
  const hasMore = ref(false);
  const load = useLoad(
    async (signal) => {
      const page = await ask(undefined, signal);
      next.value = page.next;
      hasMore.value = page.next !== undefined;
      return page.items;
    },
    on ? { on } : {},
  );
  async function more(): Promise<void> {
    const from = load.data.value;
    load.loading.value = true;
    try {
      const page = await ask(next.value, new AbortController().signal);
      if (load.data.value !== from) return;
      load.data.value = [...(from ?? []), ...page.items];
      next.value = page.next;
      hasMore.value = page.next !== undefined;
    } catch (e) {
      load.error.value = noticed(e);
    } finally {
      load.loading.value = false;
    }
  }
  return { ...load, hasMore, more };
}
