// What a person chose before, kept in this browser only.

import { reactive, watch } from 'vue';

const kStorageKey = 'parley.settings';

export interface Settings {
  displayName: string;
  camera: string;
  microphone: string;
  speaker: string;
  mirror: boolean;
  micOn: boolean;
  cameraOn: boolean;
  audioOnly: boolean;
}

const defaults: Settings = {
  displayName: '', camera: '', microphone: '', speaker: '', mirror: true, micOn: true, cameraOn: true, audioOnly: false,
};

function load(): Settings {
  const result = { ...defaults };
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(kStorageKey) ?? '{}');
    for (const [key, value] of Object.entries(stored ?? {})) {
      if (key in defaults && typeof value === typeof defaults[key as keyof Settings]) Object.assign(result, { [key]: value });
    }
  } catch {
    // Defaults will do.
  }
  return result;
}

export const settings = reactive<Settings>(load());

watch(settings, (value) => {
  try {
    localStorage.setItem(kStorageKey, JSON.stringify(value));
  } catch {
    // Kept for this page only.
  }
});
