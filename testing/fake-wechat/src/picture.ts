// A made picture that says when and by whom it was made, and a made tone. Pure: browsers can use this file as well.

/** 4 bits of source, 20 bits of time in 10 ms, 8 bits of check: two rows of 16 cells over the upper quarter. */
const COLUMNS = 16;
const ROWS = 2;
const DARK = 24;
const BRIGHT = 228;
const STEP_MS = 10;
export const WRAP_MS = STEP_MS * 2 ** 20;

export interface TimeCode {
  readonly source: number;
  /** Modulo `WRAP_MS`. */
  readonly timeMs: number;
}

const check = (value: number): number => {
  let sum = 0x5a;
  for (let v = value; v > 0; v = Math.floor(v / 256)) sum = (sum * 31 + (v & 255)) & 255;
  return sum;
};

/** Draws into a luma plane of `width` x `height`. */
export function drawPicture(luma: Uint8Array, width: number, height: number, { source, timeMs }: TimeCode): void {
  const time = Math.floor(timeMs / STEP_MS) % 2 ** 20;
  const value = (source & 15) * 2 ** 20 + time;
  const word = [...value.toString(2).padStart(24, '0'), ...check(value).toString(2).padStart(8, '0')];
  const cellHeight = height / 4 / ROWS;
  for (let y = 0; y < height; ++y) {
    const row = Math.floor(y / cellHeight);
    for (let x = 0; x < width; ++x) {
      luma[y * width + x] = row < ROWS
        ? word[row * COLUMNS + Math.floor((x * COLUMNS) / width)] === '1' ? BRIGHT : DARK
        : 60 + Math.floor((x * 100) / width) + (y % 32 < 16 ? 20 : 0);
    }
  }
  // A box that moves, so that somebody who looks sees motion.
  const size = Math.floor(height / 8);
  const left = Math.floor(((timeMs / 2000) % 1) * Math.max(1, width - size));
  for (let y = Math.floor(height * 0.6); y < Math.floor(height * 0.6) + size; ++y) luma.fill(BRIGHT, y * width + left, y * width + left + size);
}

/** Reads what `drawPicture` drew, after coding and scaling; undefined if the picture shows something else. */
export function readPicture(luma: Uint8Array, width: number, height: number): TimeCode | undefined {
  const cellWidth = width / COLUMNS;
  const cellHeight = height / 4 / ROWS;
  let value = 0;
  let sum = 0;
  for (let i = 0; i < COLUMNS * ROWS; ++i) {
    const x0 = Math.floor((i % COLUMNS + 0.35) * cellWidth);
    const x1 = Math.max(x0 + 1, Math.floor((i % COLUMNS + 0.65) * cellWidth));
    const y0 = Math.floor((Math.floor(i / COLUMNS) + 0.35) * cellHeight);
    const y1 = Math.max(y0 + 1, Math.floor((Math.floor(i / COLUMNS) + 0.65) * cellHeight));
    let total = 0;
    for (let y = y0; y < y1; ++y) for (let x = x0; x < x1; ++x) total += luma[y * width + x] ?? 0;
    const mean = total / ((x1 - x0) * (y1 - y0));
    if (mean > 100 && mean < 156) return undefined;
    const bit = mean > 128 ? 1 : 0;
    if (i < 24) value = value * 2 + bit;
    else sum = sum * 2 + bit;
  }
  if (check(value) !== sum) return undefined;
  return { source: Math.floor(value / 2 ** 20), timeMs: (value % 2 ** 20) * STEP_MS };
}

/** The tone of a source: far enough from its neighbours to tell them apart after any codec. */
export const toneOf = (source: number): number => 400 + 125 * (source & 15);

/** Share of a window's energy at `frequency` (Goertzel), 0 to 1, and its level. */
export function toneShare(samples: ArrayLike<number>, rate: number, frequency: number): number {
  const k = 2 * Math.cos((2 * Math.PI * frequency) / rate);
  let [a, b, energy] = [0, 0, 0];
  for (let i = 0; i < samples.length; ++i) {
    const s = samples[i]!;
    energy += s * s;
    [a, b] = [s + k * a - b, a];
  }
  return energy === 0 ? 0 : (2 * (a * a + b * b - k * a * b)) / (samples.length * energy);
}

/** Whose tone fills `samples`: the number of a source, or undefined for silence and noise. `floor` is the level of silence. */
export function readTone(samples: ArrayLike<number>, rate: number, floor: number): number | undefined {
  // A quarter of the samples is enough for tones this low, and a test asks often.
  const fewer = Float32Array.from({ length: Math.floor(samples.length / 4) }, (_, i) => samples[i * 4]!);
  if (fewer.length < rate / 40 || rms(fewer) < floor) return undefined;
  for (let source = 0; source < 16; ++source) if (toneShare(fewer, rate / 4, toneOf(source)) > 0.6) return source;
  return undefined;
}

/** Whose tones are among those in `samples`: each with a level of its own above `floor`. */
export function readTones(samples: ArrayLike<number>, rate: number, floor: number): number[] {
  const length = Math.floor(samples.length / 4);
  const fewer = Float32Array.from({ length }, (_, i) => samples[i * 4]! * hann(i, length));
  const level = rms(fewer);
  const found: number[] = [];
  for (let source = 0; source < 16; ++source) {
    // The window leaves 3/8 of a tone's energy and 2/3 of that in its share.
    if (2 * level * Math.sqrt(toneShare(fewer, rate / 4, toneOf(source))) > floor) found.push(source);
  }
  return found;
}

/** Keeps a loud tone from showing up beside itself. */
const hann = (i: number, n: number): number => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n);

export function rms(samples: ArrayLike<number>): number {
  let energy = 0;
  for (let i = 0; i < samples.length; ++i) energy += samples[i]! ** 2;
  return samples.length ? Math.sqrt(energy / samples.length) : 0;
}
