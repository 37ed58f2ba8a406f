// Where the tiles of a call go. Pure geometry, in CSS pixels.

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Area {
  width: number;
  height: number;
}

export const kGap = 10;

/** Tiles may be a little squarer than the camera's 16:9, and upright where the screen is upright. */
function ratioBounds(area: Area): { min: number; max: number } {
  return area.width >= area.height ? { min: 4 / 3, max: 16 / 9 } : { min: 0.6, max: 16 / 9 };
}

/** The largest rectangle in a cell whose ratio of width to height lies within the bounds. */
function fitRatio(cell: Area, min: number, max: number): Area {
  const ratio = cell.width / cell.height;
  if (ratio > max) return { width: cell.height * max, height: cell.height };
  if (ratio < min) return { width: cell.width, height: cell.width / min };
  return cell;
}

export interface Grid {
  columns: number;
  rows: number;
  tile: Area;
}

/** The number of columns that gives `count` equal tiles the largest area. */
export function bestGrid(count: number, area: Area, gap = kGap): Grid {
  let best: Grid = { columns: 1, rows: Math.max(1, count), tile: { width: 0, height: 0 } };
  const { min, max } = ratioBounds(area);
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const rows = Math.ceil(count / columns);
    const cell = {
      width: (area.width - gap * (columns - 1)) / columns,
      height: (area.height - gap * (rows - 1)) / rows,
    };
    if (cell.width <= 0 || cell.height <= 0) continue;
    const tile = fitRatio(cell, min, max);
    // Nearly equal choices go to the one with fewer holes in the last row.
    const holes = columns * rows - count;
    const score = tile.width * tile.height * (1 - 0.015 * holes);
    const bestHoles = best.columns * best.rows - count;
    if (score > best.tile.width * best.tile.height * (1 - 0.015 * bestHoles)) best = { columns, rows, tile };
  }
  return best;
}

/** Rectangles of a grid of `count` tiles in the middle of the area; a last row that is not full is centred. */
export function gridRects(count: number, area: Area, gap = kGap): Rect[] {
  if (count === 0 || area.width <= 0 || area.height <= 0) return [];
  const { columns, rows, tile } = bestGrid(count, area, gap);
  const top = (area.height - rows * tile.height - (rows - 1) * gap) / 2;
  const rects: Rect[] = [];
  for (let i = 0; i < count; i++) {
    const row = Math.floor(i / columns);
    const inRow = row === rows - 1 ? count - row * columns : columns;
    const left = (area.width - inRow * tile.width - (inRow - 1) * gap) / 2;
    rects.push({
      x: left + (i % columns) * (tile.width + gap),
      y: top + row * (tile.height + gap),
      width: tile.width,
      height: tile.height,
    });
  }
  return rects;
}

const kMinStripTile = 120;
const kMaxStripTile = 220;
const kMaxStripLines = 3;

/**
 * One large stage and a strip with everybody else: at the right of a wide area, below in an upright one.
 * The first rectangle is the stage. The strip takes as many lines (at most three) as its tiles need to stay legible.
 */
export function stageRects(count: number, area: Area, gap = kGap): Rect[] {
  if (count === 0 || area.width <= 0 || area.height <= 0) return [];
  if (count === 1) return [{ x: 0, y: 0, width: area.width, height: area.height }];
  const wide = area.width >= area.height;
  const others = count - 1;
  const along = wide ? area.height : area.width;
  const ratio = wide ? 16 / 10 : 1;

  let lines = 1;
  let perLine = others;
  let tile = { width: 0, height: 0 };
  for (; lines <= kMaxStripLines; lines++) {
    perLine = Math.ceil(others / lines);
    const length = (along - gap * (perLine - 1)) / perLine;
    const width = Math.min(wide ? length * ratio : length, wide ? kMaxStripTile : kMaxStripTile * 0.6);
    tile = { width, height: width / ratio };
    if (width >= (wide ? kMinStripTile : kMinStripTile * 0.6) || lines === kMaxStripLines) break;
  }
  const thickness = lines * (wide ? tile.width : tile.height) + (lines - 1) * gap;
  const stage = wide
    ? { x: 0, y: 0, width: area.width - thickness - gap, height: area.height }
    : { x: 0, y: 0, width: area.width, height: area.height - thickness - gap };

  const rects: Rect[] = [stage];
  const used = perLine * (wide ? tile.height : tile.width) + (perLine - 1) * gap;
  const start = Math.max(0, (along - used) / 2);
  for (let i = 0; i < others; i++) {
    const line = i % lines;
    const place = Math.floor(i / lines);
    const across = line * ((wide ? tile.width : tile.height) + gap);
    const down = start + place * ((wide ? tile.height : tile.width) + gap);
    rects.push({
      x: wide ? stage.width + gap + across : down,
      y: wide ? down : stage.height + gap + across,
      width: tile.width,
      height: tile.height,
    });
  }
  return rects;
}

/** What a receiver asks for: the small stream where the picture is small anyway. */
export type QualityChoice = 'auto' | 'high' | 'low';

export const kGridCountForLow = 4;
const kLowEnoughWidth = 400;

export function wantsLowStream(choice: QualityChoice, onStage: boolean, tileWidth: number, count: number): boolean {
  if (choice !== 'auto') return choice === 'low';
  if (onStage) return false;
  return count > kGridCountForLow || tileWidth < kLowEnoughWidth;
}
