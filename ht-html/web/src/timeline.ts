// SPDX-License-Identifier: LGPL-2.1-or-later
// What the chosen allocations did in each bucket of time.
import type {Selection} from './selection';

export interface Series {
  frame: number;        // a function's; -1: all others
  live: Float64Array;   // bytes at the end of each bucket
}

export interface Timeline {
  functions: Series[];  // those that hold most at any time, then the others
  live: Float64Array;
  calls: Float64Array;  // blocks
  temporary: Float64Array;
}

const CELLS = 2 ** 24;

export function timeline(selection: Selection, side: number,
  most: number): Timeline {
  const {model} = selection;
  const s = model.sides[side]!;
  const {n} = s.head.time!;
  const {keys, frames} = functionsOf(selection, Math.floor(CELLS / n));
  const cells = new Float64Array(frames.length * n);
  const calls = new Float64Array(n);
  const temporary = new Float64Array(n);
  const put = (g: number, bucket: number, bytes: number) => {
    cells[keys[g]! * n + bucket]! += bytes;
  };

  const before = s.column('before.blocks');
  const beforeBytes = s.column('before.bytes');
  const unit = model.data.column('group.unit');
  for (let g = 0; g < before.length; g++)
    if (selection.has(g))
      put(g, 0, before[g]! * unit[g]! + beforeBytes[g]!);
  s.eachBorn((g, bucket, blocks, bytes) => {
    if (!selection.has(g))
      return;
    put(g, bucket, bytes);
    calls[bucket]! += blocks;
  });
  s.eachDied((g, bucket, _born, how, blocks, bytes) => {
    if (!selection.has(g))
      return;
    put(g, bucket, -bytes);
    if (how & 1)
      temporary[bucket]! += blocks;
  });
  const all = frames.map((frame, k) => {
    const live = cells.subarray(k * n, (k + 1) * n);
    let max = 0;
    for (let b = 1; b < n; b++)
      live[b]! += live[b - 1]!;
    for (const v of live)
      max = Math.max(max, v);
    return {frame, live, max};
  });
  const live = new Float64Array(n);
  for (const series of all)
    series.live.forEach((v, b) => live[b]! += v);
  // The first stands for what is not told apart.
  const top = all.slice(1).sort((a, b) => b.max - a.max).slice(0, most)
    .filter(series => series.max > 0);
  const others = live.slice();
  for (const series of top)
    series.live.forEach((v, b) => others[b]! -= v);
  return {functions: [...top, {frame: -1, live: others}], live, calls,
    temporary};
}

// A small number for each group's function, and a frame of each: those that
// allocate most, if there are more than `most`; 0 is for the others.
function functionsOf(selection: Selection, most: number):
  {keys: Int32Array; frames: number[]} {
  const {model, shape} = selection;
  const {symbol} = model.frame;
  const total = selection.ofGroup('total', 0);
  const sums = new Map<number, {frame: number; sum: number}>();

  for (let g = 0; g < model.groups; g++) {
    const frame = shape.frame[selection.leaf(g)]!;
    const entry = sums.get(symbol[frame]!);
    if (entry)
      entry.sum += total[g]!;
    else
      sums.set(symbol[frame]!, {frame, sum: total[g]!});
  }
  const chosen = [...sums].sort((a, b) => b[1].sum - a[1].sum)
    .slice(0, most - 1);
  const number = new Map(chosen.map(([s], i) => [s, i + 1]));
  return {
    keys: Int32Array.from({length: model.groups}, (_, g) =>
      number.get(symbol[shape.frame[selection.leaf(g)]!]!) ?? 0),
    frames: [-1, ...chosen.map(([, {frame}]) => frame)],
  };
}
