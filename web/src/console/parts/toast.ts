import { ref } from 'vue';
import { noticed } from '../logic/load';
import { sayError, w } from '../words';

export interface Toast {
  id: number;
  text: string;
  bad: boolean;
}

const kShownMs = 5_000;
export const toasts = ref<Toast[]>([]);
let last = 0;

export function say(text: string, bad = false): void {
  const id = ++last;
  toasts.value = [...toasts.value.slice(-2), { id, text, bad }];
  setTimeout(() => (toasts.value = toasts.value.filter((t) => t.id !== id)), kShownMs);
}

/** Does what a button is for and says how it went; false when it did not work. */
export async function act<T>(work: () => Promise<T>, done: (result: T) => string = () => w('done')): Promise<boolean> {
  try {
    say(done(await work()));
    return true;
  } catch (error) {
    say(sayError(noticed(error)), true);
    return false;
  }
}
