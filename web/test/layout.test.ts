import { describe, expect, it } from 'vitest';
import { bestGrid, gridRects, stageRects, wantsLowStream, type Rect } from '../src/logic/layout';

const areas = [
  { width: 1440, height: 780 },
  { width: 1024, height: 768 },
  { width: 390, height: 680 },
  { width: 844, height: 300 },
  { width: 320, height: 480 },
];

const inside = (r: Rect, a: { width: number; height: number }) =>
  r.x >= -0.01 && r.y >= -0.01 && r.x + r.width <= a.width + 0.01 && r.y + r.height <= a.height + 0.01;
const apart = (a: Rect, b: Rect) =>
  a.x + a.width <= b.x + 0.01 || b.x + b.width <= a.x + 0.01 || a.y + a.height <= b.y + 0.01 || b.y + b.height <= a.y + 0.01;

describe('grid', () => {
  it('keeps every tile inside and apart from the others', () => {
    for (const area of areas) {
      for (let n = 1; n <= 12; n++) {
        for (const rects of [gridRects(n, area), stageRects(n, area)]) {
          expect(rects).toHaveLength(n);
          for (const [i, r] of rects.entries()) {
            expect(r.width).toBeGreaterThan(20);
            expect(inside(r, area), `${n} in ${area.width}x${area.height}: ${JSON.stringify(r)}`).toBe(true);
            for (const other of rects.slice(i + 1)) expect(apart(r, other), `${n} in ${area.width}x${area.height}`).toBe(true);
          }
        }
      }
    }
  });

  it('finds the columns a person would choose', () => {
    const wide = { width: 1440, height: 780 };
    expect([1, 2, 4, 6, 9, 12].map((n) => bestGrid(n, wide).columns)).toEqual([1, 2, 2, 3, 3, 4]);
    const phone = { width: 390, height: 680 };
    expect([1, 2, 4, 6, 12].map((n) => bestGrid(n, phone).columns)).toEqual([1, 1, 2, 2, 3]);
  });

  it('never gives less area than any other column count with the same ratio limits', () => {
    const area = { width: 1000, height: 700 };
    for (let n = 1; n <= 12; n++) {
      const { tile } = bestGrid(n, area);
      for (let columns = 1; columns <= n; columns++) {
        const rows = Math.ceil(n / columns);
        const width = (area.width - 10 * (columns - 1)) / columns;
        const height = (area.height - 10 * (rows - 1)) / rows;
        const w = Math.min(width, (height * 16) / 9);
        const h = Math.min(height, w / (4 / 3));
        expect(tile.width * tile.height).toBeGreaterThanOrEqual(w * h * 0.9);
      }
    }
  });

  it('centres the last row', () => {
    const rects = gridRects(7, { width: 1440, height: 780 });
    const last = rects[6]!;
    expect(last.x + last.width / 2).toBeCloseTo(720, 3);
  });

  it('gives the stage most of the area', () => {
    for (let n = 2; n <= 12; n++) {
      const area = { width: 1440, height: 780 };
      const stage = stageRects(n, area)[0]!;
      expect((stage.width * stage.height) / (area.width * area.height)).toBeGreaterThan(0.6);
    }
  });

  it('answers nothing for nobody or for no room', () => {
    expect(gridRects(0, { width: 100, height: 100 })).toEqual([]);
    expect(gridRects(3, { width: 0, height: 100 })).toEqual([]);
    expect(stageRects(3, { width: 100, height: 0 })).toEqual([]);
  });
});

describe('low stream', () => {
  it('follows the size of the picture unless the reader chose', () => {
    expect(wantsLowStream('auto', false, 700, 2)).toBe(false);
    expect(wantsLowStream('auto', false, 500, 5)).toBe(true);
    expect(wantsLowStream('auto', false, 200, 3)).toBe(true);
    expect(wantsLowStream('auto', true, 1000, 12)).toBe(false);
    expect(wantsLowStream('high', false, 100, 12)).toBe(false);
    expect(wantsLowStream('low', true, 1000, 1)).toBe(true);
  });
});
