import { ref } from 'vue';

export type Theme = 'light' | 'dark' | 'system';

const kStorageKey = 'parley.theme';
const systemDark = window.matchMedia('(prefers-color-scheme: dark)');

export const theme = ref<Theme>('system');

function apply(): void {
  const dark = theme.value === 'dark' || (theme.value === 'system' && systemDark.matches);
  document.documentElement.dataset['theme'] = dark ? 'dark' : 'light';
}

export function setTheme(next: Theme): void {
  theme.value = next;
  try {
    localStorage.setItem(kStorageKey, next);
  } catch {
    // Kept for this page only.
  }
  apply();
}

export function initTheme(): void {
  try {
    const stored = localStorage.getItem(kStorageKey);
    if (stored === 'light' || stored === 'dark') theme.value = stored;
  } catch {
    theme.value = 'system';
  }
  systemDark.addEventListener('change', apply);
  apply();
}
