// Figures and times as people read them. Times are local, except where a page says UTC.

export type Locale = 'en' | 'zh';
const tag = (locale: Locale): string => (locale === 'zh' ? 'zh-CN' : 'en-GB');

export function formatTime(ms: number, locale: Locale, { seconds = true, utc = false } = {}): string {
  if (!Number.isFinite(ms)) return '–';
  return new Intl.DateTimeFormat(tag(locale), {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    hour12: false,
    ...(seconds ? { second: '2-digit' } : {}),
    ...(utc ? { timeZone: 'UTC' } : {}),
  }).format(ms);
}

export function formatClock(ms: number, locale: Locale): string {
  return new Intl.DateTimeFormat(tag(locale), { hour: '2-digit', minute: '2-digit', second: '2-digit', hour12: false }).format(ms);
}

/** `42 s`, `3 min 5 s`, `2 h 10 min`, `5 d 3 h`. */
export function formatSpan(ms: number, locale: Locale): string {
  const s = Math.max(0, Math.round(ms / 1000));
  const [day, hour, minute, second] = locale === 'zh' ? ['天', '小时', '分', '秒'] : [' d', ' h', ' min', ' s'];
  const parts: [number, string][] = [
    [Math.floor(s / 86400), day],
    [Math.floor(s / 3600) % 24, hour],
    [Math.floor(s / 60) % 60, minute],
    [s % 60, second],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return `0${second}`;
  return parts
    .slice(first, first + 2)
    .filter(([n], i) => i === 0 || n > 0)
    .map(([n, unit]) => `${n}${unit}`)
    .join(locale === 'zh' ? '' : ' ');
}

export function formatNumber(value: number, locale: Locale, digits = 0): string {
  return new Intl.NumberFormat(tag(locale), { maximumFractionDigits: digits }).format(value);
}

/** Decimal units, as traffic is billed. */
export function formatBytes(bytes: number, locale: Locale): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = bytes;
  let at = 0;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at++;
  }
  return `${formatNumber(value, locale, at === 0 || value >= 100 ? 0 : 1)} ${units[at]}`;
}

export function formatKbps(kbps: number, locale: Locale): string {
  return kbps >= 1000 ? `${formatNumber(kbps / 1000, locale, 1)} Mb/s` : `${formatNumber(kbps, locale)} kb/s`;
}

/** Of `<input type="datetime-local">`. */
export function toLocalInput(ms: number): string {
  const at = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000);
  return at.toISOString().slice(0, 16);
}
