// FLV tags and what is inside them: H.264 and AAC.

/** 8 audio, 9 video, 18 script data. */
export interface Tag {
  readonly type: number;
  readonly timestampMs: number;
  readonly data: Buffer;
}

const MAX_TAG_BYTES = 16 << 20;

/** Cuts a byte stream into FLV tags. Feed it pieces of any size. */
export class FlvReader {
  private held: Buffer = Buffer.alloc(0);
  private started = false;

  push(bytes: Buffer): Tag[] {
    this.held = this.held.length ? Buffer.concat([this.held, bytes]) : bytes;
    const tags: Tag[] = [];
    if (!this.started) {
      if (this.held.length < 13) return tags;
      if (this.held.toString('latin1', 0, 3) !== 'FLV') throw new Error('not FLV');
      this.held = this.held.subarray(this.held.readUInt32BE(5) + 4);
      this.started = true;
    }
    for (;;) {
      if (this.held.length < 11) return tags;
      const size = this.held.readUIntBE(1, 3);
      if (size > MAX_TAG_BYTES) throw new Error('FLV tag too large');
      if (this.held.length < 11 + size + 4) return tags;
      const timestampMs = this.held.readUIntBE(4, 3) + this.held.readUInt8(7) * 0x1000000;
      tags.push({ type: this.held.readUInt8(0) & 0x1f, timestampMs, data: Buffer.from(this.held.subarray(11, 11 + size)) });
      this.held = this.held.subarray(11 + size + 4);
    }
  }
}

export type Media =
  | { readonly kind: 'avc-config'; readonly parameterSets: Buffer; readonly lengthSize: number; readonly width: number; readonly height: number }
  | { readonly kind: 'avc'; readonly keyFrame: boolean; readonly avcc: Buffer }
  | { readonly kind: 'aac-config'; readonly objectType: number; readonly frequencyIndex: number; readonly channels: number }
  | { readonly kind: 'aac'; readonly frame: Buffer }
  | { readonly kind: 'other' };

/** What an audio or video message carries. The components play H.264 and AAC only. */
export function parseMedia(type: number, data: Buffer): Media {
  if (type === 9 && data.length >= 5 && (data[0]! & 0x0f) === 7) {
    const body = data.subarray(5);
    if (data[1] === 0) return avcConfig(body);
    if (data[1] === 1) return { kind: 'avc', keyFrame: data[0]! >> 4 === 1, avcc: body };
  }
  if (type === 8 && data.length >= 2 && data[0]! >> 4 === 10) {
    if (data[1] === 0 && data.length >= 4) {
      return {
        kind: 'aac-config',
        objectType: data[2]! >> 3,
        frequencyIndex: ((data[2]! & 7) << 1) | (data[3]! >> 7),
        channels: (data[3]! >> 3) & 15,
      };
    }
    if (data[1] === 1) return { kind: 'aac', frame: data.subarray(2) };
  }
  return { kind: 'other' };
}

const START = Buffer.from([0, 0, 0, 1]);
/** Access unit delimiter: tells a decoder that the picture before it is complete. */
export const DELIMITER = Buffer.from([0, 0, 0, 1, 9, 0xf0]);

function avcConfig(body: Buffer): Media {
  if (body.length < 7) return { kind: 'other' };
  const lengthSize = (body[4]! & 3) + 1;
  const sets: Buffer[] = [];
  let at = 6;
  let sps: Buffer | undefined;
  let count = body[5]! & 31;
  for (let pass = 0; pass < 2; ++pass) {
    for (; count > 0 && at + 2 <= body.length; --count) {
      const size = body.readUInt16BE(at);
      const unit = body.subarray(at + 2, at + 2 + size);
      at += 2 + size;
      if (pass === 0) sps ??= unit;
      sets.push(START, unit);
    }
    count = body[at++] ?? 0;
  }
  const { width, height } = sps ? pictureSize(sps) : { width: 0, height: 0 };
  return { kind: 'avc-config', parameterSets: Buffer.concat(sets), lengthSize, width, height };
}

/** Length-prefixed NAL units to start codes. */
export function annexB(avcc: Buffer, lengthSize: number): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at + lengthSize <= avcc.length;) {
    const size = avcc.readUIntBE(at, lengthSize);
    at += lengthSize;
    parts.push(START, avcc.subarray(at, at + size));
    at += size;
  }
  return Buffer.concat(parts);
}

/** Types of the NAL units in a length-prefixed access unit. */
export function nalTypes(avcc: Buffer, lengthSize: number): number[] {
  const types: number[] = [];
  for (let at = 0; at + lengthSize < avcc.length;) {
    const size = avcc.readUIntBE(at, lengthSize);
    types.push(avcc[at + lengthSize]! & 31);
    at += lengthSize + size;
  }
  return types;
}

export function adts(frame: Buffer, { objectType, frequencyIndex, channels }: { objectType: number; frequencyIndex: number; channels: number }): Buffer {
  const size = frame.length + 7;
  // HE-AAC is signalled inside the frames; ADTS can only say LC.
  const profile = Math.min(Math.max(objectType, 1), 2) - 1;
  const head = Buffer.from([
    0xff, 0xf1, (profile << 6) | (frequencyIndex << 2) | (channels >> 2), ((channels & 3) << 6) | (size >> 11), (size >> 3) & 0xff,
    ((size & 7) << 5) | 0x1f, 0xfc,
  ]);
  return Buffer.concat([head, frame]);
}

/** Width and height from a sequence parameter set (H.264 7.3.2.1.1). */
export function pictureSize(sps: Buffer): { width: number; height: number } {
  const bytes: number[] = [];
  for (let i = 1; i < sps.length; ++i) {
    if (i >= 3 && sps[i] === 3 && sps[i - 1] === 0 && sps[i - 2] === 0) continue;
    bytes.push(sps[i]!);
  }
  let at = 0;
  const bit = (): number => {
    const value = ((bytes[at >> 3] ?? 0) >> (7 - (at & 7))) & 1;
    at += 1;
    return value;
  };
  const bits = (n: number): number => {
    let value = 0;
    for (let i = 0; i < n; ++i) value = value * 2 + bit();
    return value;
  };
  const ue = (): number => {
    let zeros = 0;
    while (zeros < 32 && at < bytes.length * 8 && bit() === 0) zeros += 1;
    return 2 ** zeros - 1 + bits(zeros);
  };
  const se = (): number => {
    const v = ue();
    return v % 2 ? (v + 1) / 2 : -v / 2;
  };
  const profile = bits(8);
  bits(16);
  ue();
  let chroma = 1;
  if ([100, 110, 122, 244, 44, 83, 86, 118, 128].includes(profile)) {
    chroma = ue();
    if (chroma === 3) bit();
    ue();
    ue();
    bit();
    if (bit()) {
      for (let i = 0; i < (chroma === 3 ? 12 : 8); ++i) {
        if (!bit()) continue;
        let next = 8;
        for (let j = 0, last = 8; j < (i < 6 ? 16 : 64); ++j) {
          if (next !== 0) next = (last + se() + 256) % 256;
          last = next === 0 ? last : next;
        }
      }
    }
  }
  ue();
  const orderType = ue();
  if (orderType === 0) ue();
  else if (orderType === 1) {
    bit();
    se();
    se();
    for (let n = Math.min(ue(), 255); n > 0; --n) se();
  }
  ue();
  bit();
  const width = (ue() + 1) * 16;
  const mapHeight = ue() + 1;
  const frameOnly = bit();
  if (!frameOnly) bit();
  bit();
  let [left, right, top, bottom] = [0, 0, 0, 0];
  if (bit()) [left, right, top, bottom] = [ue(), ue(), ue(), ue()];
  const cropX = chroma === 1 || chroma === 2 ? 2 : 1;
  const cropY = (chroma === 1 ? 2 : 1) * (2 - frameOnly);
  return { width: width - (left + right) * cropX, height: (2 - frameOnly) * mapHeight * 16 - (top + bottom) * cropY };
}
