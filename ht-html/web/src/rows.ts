// SPDX-License-Identifier: LGPL-2.1-or-later
// Rows that are not a tree: what allocates, merged by what a view asks for.
import {change, compare, noCosts, type Costs} from './costs';
import {baseName} from './fmt';
import {COSTS, UNKNOWN, type By, type Cost, type Model} from './model';
import type {Selection} from './selection';
import {Tree} from './tree';

export interface Row {
  name: string;
  frame: number;  // that stands for it; 0: it is not a place
  node: number;   // one of the shape that it is in
  costs: Costs;
  blocks: number; // never freed
}

// By the place that allocates, as ht-top's sections.
export function places(selection: Selection, by: By): Row[] {
  const {shape, model} = selection;
  const keys = model.keysBy(by);
  const rows = new Map<number, Row>();
  const weights = COSTS.map(cost =>
    model.sides.map((_, side) => selection.self(cost, side)));
  const blocks = selection.self('leaked_blocks', 0);

  for (let i = 1; i < shape.n; i++) {
    if (!weights.some(sides => sides.some(w => w[i])))
      continue;
    const frame = shape.frame[i]!;
    const key = keys[frame]!;
    let row = rows.get(key);
    if (!row) {
      row = {name: '', frame, node: i, costs: noCosts(), blocks: 0};
      rows.set(key, row);
    }
    if (model.rank[frame]! < model.rank[row.frame]!)
      row.frame = frame;
    row.blocks += blocks[i]!;
    for (const [k, sides] of weights.entries())
      for (const [side, w] of sides.entries())
        row.costs[2 * k + side]! += w[i]!;
  }
  for (const row of rows.values())
    row.name = placeName(model, by, row.frame);
  return [...rows.values()];
}

// By something of groups that is a text: threads and kinds.
export function groups(selection: Selection, by: 'thread' | 'kind'): Row[] {
  const {model} = selection;
  const rows = new Map<number, Row>();
  const text = model.group[by];
  const costs = COSTS.map(cost =>
    model.sides.map((_, side) => selection.ofGroup(cost, side)));
  const blocks = selection.ofGroup('leaked_blocks', 0);

  for (let g = 0; g < model.groups; g++) {
    if (!selection.has(g))
      continue;
    const id = text[g]!;
    const row = rows.get(id) ??
      {name: model.text(id), frame: 0, node: 0, costs: noCosts(), blocks: 0};
    rows.set(id, row);
    row.blocks += blocks[g]!;
    for (const [k, sides] of costs.entries())
      for (const [side, of] of sides.entries())
        row.costs[2 * k + side]! += of[g]!;
  }
  return [...rows.values()];
}

export function placeName(model: Model, by: By, frame: number): string {
  if (by === 'file' && model.fileName(frame))
    return model.fileName(frame);
  if (by === 'file' || by === 'module')
    return model.moduleName(frame) || model.functionName(frame);
  return model.functionName(frame);
}

// Where a place is: as short as ht-top says it, and whole.
export function placeOf(model: Model, by: By, frame: number):
  {short: string; whole: string} {
  const file = model.fileName(frame);
  const module = model.moduleName(frame);
  const line = model.frame.line[frame]!;

  if (by === 'file' || by === 'module' || frame === 0)
    return {short: '', whole: ''};
  if (file) {
    const at = by === 'line' && line ? `:${line}` : '';
    return {short: baseName(file) + at, whole: file + at};
  }
  // A name made of module and offset says it already.
  if (model.has(frame, UNKNOWN) ||
      model.functionName(frame).startsWith(baseName(module)))
    return {short: '', whole: module};
  return {short: baseName(module), whole: module};
}

export function sorted<R extends Row>(model: Model, by: By, rows: R[],
  cost: Cost): R[] {
  return rows.filter(row => change(row.costs, cost) !== 0)
    .sort((a, b) => compare(a.costs, b.costs, cost) ||
      model.comparePlaces(by, a.frame, b.frame) || (a.name < b.name ? -1 : 1));
}

// Every function with all that it allocates, itself and through others; of a
// recursive one each stack counts once.
export interface FunctionRow extends Row {
  symbol: number;
  self: Costs;
}

export function functions(selection: Selection): FunctionRow[] {
  const {shape, model} = selection;
  const {symbol} = model.frame;
  const rows = new Map<number, FunctionRow>();
  const open = new Map<number, number>(); // symbol: where its outermost ends
  const weights = COSTS.map(cost => model.sides.map((_, side) =>
    [selection.self(cost, side), selection.all(cost, side)] as const));

  for (let i = 1; i < shape.n; i++) {
    if (!weights.some(sides => sides.some(([, all]) => all[i])))
      continue;
    const frame = shape.frame[i]!;
    const s = symbol[frame]!;
    let row = rows.get(s);
    if (!row) {
      row = {name: model.functionName(frame), frame, node: i, symbol: s,
        blocks: 0, costs: noCosts(), self: noCosts()};
      rows.set(s, row);
    }
    if (model.rank[frame]! < model.rank[row.frame]!)
      row.frame = frame;
    const outermost = (open.get(s) ?? 0) <= i;
    if (outermost)
      open.set(s, shape.end[i]!);
    for (const [k, sides] of weights.entries()) {
      for (const [side, [self, all]] of sides.entries()) {
        row.self[2 * k + side]! += self[i]!;
        if (outermost)
          row.costs[2 * k + side]! += all[i]!;
      }
    }
  }
  return [...rows.values()];
}

// Frames of one function.
export function marked(model: Model, symbol: number): Uint8Array {
  return Uint8Array.from(model.frame.symbol, s => Number(s === symbol));
}

export function callers(selection: Selection, symbol: number): Tree {
  return new Tree(selection, 'function', 'callers',
    marked(selection.model, symbol));
}

export function callees(selection: Selection, symbol: number): Tree {
  return new Tree(selection, 'function', 'callees',
    marked(selection.model, symbol));
}
