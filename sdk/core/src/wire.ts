/** One message of the gateway: `name=json-object` in a text frame. */
export interface Frame {
  readonly name: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Longer frames are not looked at. */
export const MAX_FRAME_CHARS = 1 << 20;
/** Longer lists in one message are cut. */
export const MAX_LIST = 1000;

export function writeFrame(name: string, body: object = {}): string {
  return `${name}=${JSON.stringify(body)}`;
}

/** undefined for what is no message: binary, no name, no object. The session goes on. */
export function parseFrame(data: unknown): Frame | undefined {
  if (typeof data !== 'string' || data.length > MAX_FRAME_CHARS) return undefined;
  const cut = data.indexOf('=');
  if (cut < 1) return undefined;
  try {
    const body: unknown = JSON.parse(data.slice(cut + 1));
    if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
    return { name: data.slice(0, cut), body: body as Record<string, unknown> };
  } catch {
    return undefined;
  }
}

export const str = (value: unknown): string => (typeof value === 'string' ? value : '');
export const num = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) ? value : NaN);

/** The objects in a list that may be null, absent or full of something else. */
export function objects(value: unknown): Record<string, unknown>[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_LIST).filter((v): v is Record<string, unknown> => typeof v === 'object' && v !== null);
}
