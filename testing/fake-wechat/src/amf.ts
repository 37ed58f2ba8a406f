// AMF0, as much of it as RTMP commands use.

export type Amf = number | boolean | string | null | undefined | { [key: string]: Amf } | Amf[];

const MAX_DEPTH = 16;

export function writeAmf(...values: Amf[]): Buffer {
  return Buffer.concat(values.map(one));
}

function key(text: string): Buffer {
  const bytes = Buffer.from(text);
  const head = Buffer.alloc(2);
  head.writeUInt16BE(bytes.length);
  return Buffer.concat([head, bytes]);
}

function one(value: Amf): Buffer {
  if (value === null) return Buffer.from([5]);
  if (value === undefined) return Buffer.from([6]);
  if (typeof value === 'boolean') return Buffer.from([1, value ? 1 : 0]);
  if (typeof value === 'number') {
    const out = Buffer.alloc(9);
    out.writeDoubleBE(value, 1);
    return out;
  }
  if (typeof value === 'string') return Buffer.concat([Buffer.from([2]), key(value)]);
  if (Array.isArray(value)) {
    const head = Buffer.alloc(5);
    head[0] = 10;
    head.writeUInt32BE(value.length, 1);
    return Buffer.concat([head, ...value.map(one)]);
  }
  const parts = Object.entries(value).flatMap(([name, v]) => [key(name), one(v)]);
  return Buffer.concat([Buffer.from([3]), ...parts, Buffer.from([0, 0, 9])]);
}

/** All values in `bytes`; what cannot be read ends the list. */
export function readAmf(bytes: Buffer): Amf[] {
  let at = 0;
  const values: Amf[] = [];
  const text = (size: number): string => {
    if (at + size > bytes.length) throw new RangeError('truncated');
    at += size;
    return bytes.toString('utf8', at - size, at);
  };
  const u16 = (): number => ((at += 2), bytes.readUInt16BE(at - 2));
  const u32 = (): number => ((at += 4), bytes.readUInt32BE(at - 4));
  const object = (depth: number): Amf => {
    const out: { [key: string]: Amf } = {};
    for (;;) {
      const name = text(u16());
      if (name === '' && bytes[at] === 9) {
        at += 1;
        return out;
      }
      out[name] = value(depth + 1);
    }
  };
  const value = (depth: number): Amf => {
    if (depth > MAX_DEPTH) throw new RangeError('too deep');
    const type = bytes.readUInt8(at++);
    switch (type) {
      case 0:
        at += 8;
        return bytes.readDoubleBE(at - 8);
      case 1:
        return bytes.readUInt8(at++) !== 0;
      case 2:
        return text(u16());
      case 3:
        return object(depth);
      case 5:
        return null;
      case 6:
        return undefined;
      case 8:
        u32();
        return object(depth);
      case 10: {
        const list: Amf[] = [];
        for (let n = u32(); n > 0; --n) list.push(value(depth + 1));
        return list;
      }
      case 11:
        at += 10;
        return bytes.readDoubleBE(at - 10);
      case 12:
        return text(u32());
      default:
        throw new RangeError(`AMF0 type ${type}`);
    }
  };
  try {
    while (at < bytes.length) values.push(value(0));
  } catch {
    // The values so far are what there is.
  }
  return values;
}
