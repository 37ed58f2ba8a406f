import { ref } from 'vue';
import type { Problem } from '../logic/errors';
import { en, type Messages } from './en';
import { zh } from './zh';

export type Language = 'en' | 'zh';
export type MessageKey = keyof Messages;

export const tables: Record<Language, Messages> = { en, zh };

const kStorageKey = 'parley.language';

export function languageFor(stored: string | null, browserLanguages: readonly string[]): Language {
  if (stored === 'en' || stored === 'zh') return stored;
  for (const tag of browserLanguages) {
    if (/^zh\b/i.test(tag)) return 'zh';
    if (/^en\b/i.test(tag)) return 'en';
  }
  return 'en';
}

export const language = ref<Language>('en');

export function setLanguage(next: Language): void {
  language.value = next;
  document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en';
  try {
    localStorage.setItem(kStorageKey, next);
  } catch {
    // Private windows may refuse storage; the choice then lasts for this page only.
  }
}

export function initLanguage(): void {
  let stored: string | null = null;
  try {
    stored = localStorage.getItem(kStorageKey);
  } catch {
    stored = null;
  }
  language.value = languageFor(stored, navigator.languages);
  document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en';
}

/** Somebody's text inside a sentence: what it says of its direction ends with it (UAX 9: first strong isolate). */
export function isolate(text: string): string {
  const kDirected = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff]/;
  return kDirected.test(text) ? `\u2068${text.replace(/[\u2066-\u2069]/g, '')}\u2069` : text;
}

export function format(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? isolate(String(values[name])) : whole));
}

export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return format(tables[language.value][key], values);
}

export const problemTitle = (p: Problem): string => t(`p_${p}`);
export const problemText = (p: Problem): string => t(`p_${p}_d`);
