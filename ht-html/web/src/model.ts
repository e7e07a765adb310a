// SPDX-License-Identifier: LGPL-2.1-or-later
// What was recorded: symbols, stacks, groups of allocations, and what each
// group cost in a window of time.
import type {Column, Data, SideHead} from './data';

// The order is that of columns in tables.
export const COSTS = ['peak', 'leaked', 'calls', 'temporary', 'total',
  'others'] as const;
export type Cost = typeof COSTS[number];
export const FIELDS = [...COSTS, 'leaked_blocks', 'peak_blocks'] as const;
export type Field = typeof FIELDS[number];
export type GroupCosts = Record<Field, Float64Array>;

const TEMPORARY = 1, BY_OTHER = 256, PART = 512; // how blocks died
export const INLINED = 1, SYSTEM = 2, UNKNOWN = 4, CUT = 8, SUMMED_UP = 16;

// Time buckets [from, to).
export interface Window {
  from: number;
  to: number;
}

export interface Buckets {
  shift: number;        // one is 1 << shift ms
  start: number;        // ms
  n: number;
}

export function momentOf(buckets: Buckets, b: number): number {
  return buckets.start + b * 2 ** buckets.shift;
}

// Stacks: a tree in preorder. Node 0 is the whole program.
export interface Shape {
  n: number;
  parent: Int32Array;
  end: Int32Array;      // what is below a node is [node + 1, end)
  frame: Int32Array;
  nodeOf: Int32Array;   // a node of the data's to one of this shape
}

export class Side {
  constructor(readonly name: 'now' | 'base', readonly head: SideHead,
    private readonly data: Data, private readonly unit: Column) {}

  get groups(): number {
    return this.unit.length;
  }

  column(name: string): Column {
    return this.data.column(`${this.name}.${name}`);
  }

  // What each group cost; of suppressed ones nothing is leaked.
  costs(window: Window | null): GroupCosts {
    return window ? this.windowCosts(window) : this.wholeCosts();
  }

  private wholeCosts(): GroupCosts {
    const of = (name: string) => Float64Array.from(this.column(name));
    const inBytes = (blocks: Float64Array, rests: Column) =>
      blocks.map((n, g) => n * this.unit[g]! + rests[g]!);
    const calls = of('calls');
    const leaked = of('leaked_blocks');
    const peak = of('peak_blocks');

    return {
      calls,
      total: inBytes(calls, this.column('total')),
      temporary: of('temporary'),
      leaked_blocks: leaked,
      leaked: inBytes(leaked, this.column('leaked')),
      peak_blocks: peak,
      peak: inBytes(peak, this.column('peak')),
      others: of('others'),
    };
  }

  // The first bucket of a window with its largest maximum.
  peakBucket(window: Window): number {
    const max = this.column('time.max');
    let m = window.from;
    for (let b = m; b < window.to && b < max.length; b++)
      if (max[b]! > max[m]!)
        m = b;
    return m;
  }

  private windowCosts(window: Window): GroupCosts {
    const {from, to} = window;
    const m = this.peakBucket(window);
    const costs = emptyCosts(this.groups);
    const before = this.column('before.blocks');
    const beforeBytes = this.column('before.bytes');
    const suppressed = this.data.column('group.suppressed');

    for (let g = 0; g < before.length; g++) {
      costs.peak_blocks[g] = before[g]!;
      costs.peak[g] = before[g]! * this.unit[g]! + beforeBytes[g]!;
    }
    this.eachBorn((g, bucket, blocks, size) => {
      if (bucket >= from && bucket < to) {
        costs.calls[g]! += blocks;
        costs.total[g]! += size;
        costs.leaked_blocks[g]! += blocks;
        costs.leaked[g]! += size;
      }
      if (bucket < m) {
        costs.peak_blocks[g]! += blocks;
        costs.peak[g]! += size;
      }
    });
    this.eachDied((g, bucket, born, how, blocks, size) => {
      if (bucket < to && born >= from) {
        costs.leaked_blocks[g]! -= blocks;
        costs.leaked[g]! -= size;
        if (how & TEMPORARY)
          costs.temporary[g]! += blocks;
        if (how & BY_OTHER)
          costs.others[g]! += blocks;
      }
      if (bucket < m) {
        costs.peak_blocks[g]! -= blocks;
        costs.peak[g]! -= size;
      }
    });
    this.eachTop((g, bucket, blocks, size) => {
      if (bucket === m) {
        costs.peak_blocks[g]! += blocks;
        costs.peak[g]! += size;
      }
    });
    for (let g = 0; g < this.groups; g++)
      if (suppressed[g])
        costs.leaked_blocks[g] = costs.leaked[g] = 0;
    for (const field of FIELDS)
      clamp(costs[field]);
    return costs;
  }

  private entries(kind: string,
    each: (g: number, bucket: number, i: number) => void): void {
    const count = this.column(`${kind}.count`);
    const bucket = this.column(`${kind}.bucket`);
    let i = 0;

    for (let g = 0; g < count.length; g++) {
      let b = 0;
      for (const end = i + count[g]!; i < end; i++) {
        b += bucket[i]!;
        each(g, b, i);
      }
    }
  }

  eachBorn(each: (g: number, bucket: number, blocks: number,
    bytes: number) => void): void {
    const blocks = this.column('born.blocks');
    const rest = this.column('born.bytes');
    this.entries('born', (g, bucket, i) =>
      each(g, bucket, blocks[i]!, blocks[i]! * this.unit[g]! + rest[i]!));
  }

  // `born` is -1 for what is older than the first bucket; `how` is 2 × the
  // age, + TEMPORARY, BY_OTHER; or PART.
  eachDied(each: (g: number, bucket: number, born: number, how: number,
    blocks: number, bytes: number) => void): void {
    const ago = this.column('died.ago');
    const how = this.column('died.how');
    const blocks = this.column('died.blocks');
    const rest = this.column('died.bytes');
    this.entries('died', (g, bucket, i) =>
      each(g, bucket, bucket - ago[i]!, how[i]!, blocks[i]!,
        blocks[i]! * this.unit[g]! + rest[i]!));
  }

  eachTop(each: (g: number, bucket: number, blocks: number,
    bytes: number) => void): void {
    const blocks = this.column('top.blocks');
    const rest = this.column('top.bytes');
    this.entries('top', (g, bucket, i) =>
      each(g, bucket, blocks[i]!, blocks[i]! * this.unit[g]! + rest[i]!));
  }

  // Blocks that were freed, by group and age (0: less than a tick, b: 2^(b-1)
  // ms and more), of those that a window knows: born and died in it.
  eachLife(window: Window | null, each: (g: number, age: number,
    blocks: number, bytes: number) => void): void {
    if (window) {
      this.eachDied((g, bucket, born, how, blocks, size) => {
        if (bucket < window.to && born >= window.from &&
          this.head.time!.ages && how !== PART)
          each(g, (how & ~BY_OTHER) >> 1, blocks, size);
      });
      return;
    }
    const count = this.column('life.count');
    const age = this.column('life.age');
    const blocks = this.column('life.blocks');
    const rest = this.column('life.bytes');
    let i = 0;
    for (let g = 0; g < count.length; g++)
      for (const end = i + count[g]!; i < end; i++)
        each(g, age[i]!, blocks[i]!, blocks[i]! * this.unit[g]! + rest[i]!);
  }

  // When the peak of a window was, ms.
  peakMoment(window: Window | null): number {
    return window ? this.column('time.max_ms')[this.peakBucket(window)] ?? 0
      : this.head.peak_ms;
  }
}

function emptyCosts(n: number): GroupCosts {
  return Object.fromEntries(FIELDS.map(field =>
    [field, new Float64Array(n)])) as GroupCosts;
}

function clamp(values: Float64Array): void {
  for (let i = 0; i < values.length; i++)
    if (values[i]! < 0)
      values[i] = 0;
}

export type By = 'function' | 'line' | 'file' | 'module';

export class Model {
  readonly strings: string[];
  readonly now: Side;
  readonly base: Side | null;
  readonly frame: Record<'function' | 'file' | 'line' | 'module' | 'symbol' |
    'flags', Int32Array>;
  readonly group: Record<'node' | 'thread' | 'kind' | 'size', Column>;
  // Frame of what only system code is on the stack of, while that is hidden.
  private readonly onlySystem: number;
  private readonly all: Shape;
  private own: Shape | null = null;
  private readonly keys = new Map<By, Int32Array>();
  private ranks: Int32Array | null = null;

  constructor(readonly data: Data) {
    const head = data.head;
    const unit = data.column('group.unit');

    this.strings = [...head.strings, '(system code)'];
    const extra = {function: head.strings.length, file: 0, line: 0, module: 0,
      symbol: 1 + largest(data.column('frame.symbol')),
      flags: SYSTEM + UNKNOWN};
    const frame = (name: keyof Model['frame']) =>
      Int32Array.from([...data.column(`frame.${name}`), extra[name]]);
    this.frame = {function: frame('function'), file: frame('file'),
      line: frame('line'), module: frame('module'), symbol: frame('symbol'),
      flags: frame('flags')};
    this.onlySystem = this.frame.function.length - 1;
    this.group = {node: data.column('group.node'),
      thread: data.column('group.thread'), kind: data.column('group.kind'),
      size: data.column('group.size')};
    this.now = new Side('now', head.now, data, unit);
    this.base = head.base && new Side('base', head.base, data, unit);
    this.all = readShape(data.column('node.up'), data.column('node.frame'));
  }

  get sides(): Side[] {
    return this.base ? [this.now, this.base] : [this.now];
  }

  get groups(): number {
    return this.group.node.length;
  }

  // Buckets of time, the first of which starts at `start` ms; null where there
  // are no windows.
  get time(): Buckets | null {
    const times = this.sides.map(side => side.head.time);
    if (times.includes(null))
      return null;
    const {shift, first} = times[0]!;
    return {shift, start: first * 2 ** shift,
      n: Math.max(...times.map(t => t!.n))};
  }

  // The costs that there are: of most programs no thread frees what another
  // allocated.
  get costs(): readonly Cost[] {
    return this.sides.some(side => side.head.freed_by_others) ? COSTS
      : COSTS.filter(cost => cost !== 'others');
  }

  shape(hideSystem: boolean): Shape {
    if (!hideSystem)
      return this.all;
    return this.own ??= this.withoutSystem();
  }

  // The tree without frames of the system's: what they allocate is their
  // callers'.
  private withoutSystem(): Shape {
    const {n, parent, frame} = this.all;
    const nodeOf = new Int32Array(n);
    const parents = [0];
    const frames = [0];

    for (let i = 1; i < n; i++) {
      const up = nodeOf[parent[i]!]!;
      if (this.frame.flags[frame[i]!]! & SYSTEM) {
        nodeOf[i] = up;
      } else {
        nodeOf[i] = parents.length;
        parents.push(up);
        frames.push(frame[i]!);
      }
    }
    const rest = parents.length;
    parents.push(0);
    frames.push(this.onlySystem);
    for (let i = 1; i < n; i++)
      if (nodeOf[i] === 0)
        nodeOf[i] = rest;
    return finishShape(Int32Array.from(parents), Int32Array.from(frames),
      nodeOf);
  }

  text(id: number): string {
    return this.strings[id] ?? '';
  }

  functionName(frame: number): string {
    return this.text(this.frame.function[frame]!);
  }

  fileName(frame: number): string {
    return this.text(this.frame.file[frame]!);
  }

  moduleName(frame: number): string {
    return this.text(this.frame.module[frame]!);
  }

  has(frame: number, flag: number): boolean {
    return (this.frame.flags[frame]! & flag) !== 0;
  }

  // A number for each frame, the same for those that a grouping merges.
  keysBy(by: By): Int32Array {
    let keys = this.keys.get(by);
    if (!keys) {
      keys = this.makeKeys(by);
      this.keys.set(by, keys);
    }
    return keys;
  }

  private makeKeys(by: By): Int32Array {
    const {symbol, file, line, module} = this.frame;
    const ids = new Map<string, number>();

    if (by === 'function')
      return symbol;
    return symbol.map((s, f) => {
      const key = by === 'line' ? `${s}:${file[f]}:${line[f]}`
        : by === 'file' && file[f] ? `f${file[f]}`
          : module[f] ? `m${module[f]}` : `s${s}`;
      const id = ids.get(key) ?? ids.size;
      ids.set(key, id);
      return id;
    });
  }

  // The order of places that cost the same, ht-top's.
  comparePlaces(by: By, a: number, b: number): number {
    const {line} = this.frame;
    const functions = by === 'function' || by === 'line';
    const known = (f: number) =>
      functions && !this.has(f, UNKNOWN) ? this.functionName(f) : '';
    const file = (f: number) => by === 'module' ? '' : this.fileName(f);

    return compareText(known(a), known(b)) || compareText(file(a), file(b)) ||
      (by === 'line' ? line[a]! - line[b]! : 0) ||
      compareText(this.moduleName(a), this.moduleName(b)) ||
      compareText(this.functionName(a), this.functionName(b));
  }

  // Of frames that are one row, the one of the lowest rank stands for it, as in
  // ht-top: one that is not inlined, and of those the least file and line.
  get rank(): Int32Array {
    if (!this.ranks) {
      const {flags, line} = this.frame;
      const order = Array.from(flags.keys()).sort((a, b) => {
        const inlined = (flags[a]! & INLINED) - (flags[b]! & INLINED);
        return inlined || compareText(this.fileName(a), this.fileName(b)) ||
          line[a]! - line[b]!;
      });
      this.ranks = new Int32Array(flags.length);
      for (const [rank, f] of order.entries())
        this.ranks[f] = rank;
    }
    return this.ranks;
  }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function largest(column: Column): number {
  let max = 0;
  for (const v of column)
    max = Math.max(max, v);
  return max;
}

function readShape(up: Column, frame: Column): Shape {
  const n = up.length;
  const parent = new Int32Array(n);
  const nodeOf = new Int32Array(n);

  for (let i = 1; i < n; i++) {
    let p = i - 1;
    for (let levels = up[i]!; levels > 0; levels--)
      p = parent[p]!;
    parent[i] = p;
    nodeOf[i] = i;
  }
  return finishShape(parent, Int32Array.from(frame), nodeOf);
}

// A tree in preorder needs to know where each node's part of it ends.
function finishShape(parent: Int32Array, frame: Int32Array,
  nodeOf: Int32Array): Shape {
  const n = parent.length;
  const end = new Int32Array(n).map((_, i) => i + 1);

  for (let i = n - 1; i > 0; i--)
    end[parent[i]!] = Math.max(end[parent[i]!]!, end[i]!);
  return {n, parent, end, frame, nodeOf};
}
