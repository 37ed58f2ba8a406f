// An app's settings as a form, and a form as what has to be changed: only what differs is sent.
import type { Schema } from '../api/client';

export interface SettingsForm {
  title: string;
  hub: string;
  maxUsers: number;
  autoCloseTtl: number;
  noAutoKickUser: boolean;
  noAutoCloseRoom: boolean;
  noAutoCreateRoom: boolean;
  videoCodec: string;
  eventCbUrl: string;
  /** Empty: the present one stays. */
  eventCbSecret: string;
  bucket: string;
  expireDay: number;
}

export function formOf(app: Schema['App'] | undefined): SettingsForm {
  const storage = (app?.storage ?? {}) as { bucket?: unknown; expireDay?: unknown };
  return {
    title: app?.title ?? '',
    hub: app?.hub ?? '',
    maxUsers: app?.maxUsers ?? 0,
    autoCloseTtl: app?.autoCloseTtl ?? 0,
    noAutoKickUser: app?.noAutoKickUser ?? false,
    noAutoCloseRoom: app?.noAutoCloseRoom ?? false,
    noAutoCreateRoom: app?.noAutoCreateRoom ?? false,
    videoCodec: app?.videoCodec ?? '',
    eventCbUrl: app?.eventCbUrl ?? '',
    eventCbSecret: '',
    bucket: typeof storage.bucket === 'string' ? storage.bucket : '',
    expireDay: typeof storage.expireDay === 'number' ? storage.expireDay : 0,
  };
}

const plain = ['title', 'hub', 'maxUsers', 'autoCloseTtl', 'noAutoKickUser', 'noAutoCloseRoom', 'noAutoCreateRoom', 'videoCodec', 'eventCbUrl'] as const;

export function patchOf(form: SettingsForm, app: Schema['App']): Schema['AppPatch'] {
  const before = formOf(app);
  const patch: Record<string, unknown> = {};
  for (const name of plain) if (form[name] !== before[name]) patch[name] = form[name];
  if (form.eventCbSecret) patch['eventCbSecret'] = form.eventCbSecret;
  if (form.bucket !== before.bucket || form.expireDay !== before.expireDay) patch['storage'] = { bucket: form.bucket, expireDay: form.expireDay || 0 };
  return patch as Schema['AppPatch'];
}
