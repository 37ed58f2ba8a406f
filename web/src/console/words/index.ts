import { format, language, type Language } from '../../i18n';
import { ApiError } from '../api/client';
import { en, type Words } from './en';
import { zh } from './zh';

export type Word = keyof Words;
export const tables: Record<Language, Words> = { en, zh };

export function w(key: Word, values: Record<string, string | number> = {}): string {
  return format(tables[language.value][key], values);
}

/** What went wrong, for people. */
export function sayError(error: unknown): string {
  if (!(error instanceof ApiError)) return String(error);
  const detail = [error.message, error.detail].filter(Boolean).join(': ') || String(error.status);
  return w(`t_${error.trouble}`, { detail });
}
