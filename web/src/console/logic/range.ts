// The time that a page looks at. It stands in the address, so that a link shows the same to somebody else.
import { computed, type ComputedRef } from 'vue';
import { useRoute, useRouter } from 'vue-router';

export interface Range {
  fromMs: number;
  toMs: number;
}

const kHourMs = 3_600_000;
export const presets = { lastHour: kHourMs, last24h: 24 * kHourMs, last7d: 7 * 24 * kHourMs, last30d: 30 * 24 * kHourMs } as const;
export type Preset = keyof typeof presets;

/** `?last=last24h`, or `?from=…&to=…` in Unix seconds. */
export function rangeFrom(query: Record<string, unknown>, fallback: Preset, nowMs: number): Range & { preset: Preset | null } {
  const from = Number(query['from'] ?? NaN);
  const to = Number(query['to'] ?? NaN);
  if (from >= 0 && to > from && Number.isFinite(to)) return { fromMs: from * 1000, toMs: to * 1000, preset: null };
  const named = String(query['last'] ?? '');
  const preset = Object.hasOwn(presets, named) ? (named as Preset) : fallback;
  return { fromMs: nowMs - presets[preset], toMs: nowMs, preset };
}

export function useRange(fallback: Preset): { range: ComputedRef<ReturnType<typeof rangeFrom>>; choose: (next: Preset | Range) => void } {
  const route = useRoute();
  const router = useRouter();
  const range = computed(() => rangeFrom(route.query, fallback, Date.now()));
  function choose(next: Preset | Range): void {
    const { last: _, from: __, to: ___, ...rest } = route.query;
    const own = typeof next === 'string' ? { last: next } : { from: Math.floor(next.fromMs / 1000), to: Math.ceil(next.toMs / 1000) };
    void router.replace({ query: { ...rest, ...own } });
  }
  return { range, choose };
}
