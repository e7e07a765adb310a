// SPDX-License-Identifier: LGPL-2.1-or-later
// What is looked at: a window of time, filters, with or without the system's
// frames; and what every node of the stacks' tree costs then.
import {UNKNOWN, type Cost, type Field, type GroupCosts, type Model,
  type Shape, type Window} from './model';

// A filter is text as after --filter, `key=pattern` or a part of a function's
// name; with `!` before it, as after --exclude.
export interface Filter {
  exclude: boolean;
  key: 'function' | 'file' | 'module' | 'thread' | 'size';
  pattern: string;
}

const KEY = /^(function|file|module|thread|size)=/;

export function parseFilter(text: string): Filter {
  const exclude = text.startsWith('!');
  const rest = exclude ? text.slice(1) : text;
  const key = KEY.exec(rest)?.[1] as Filter['key'] | undefined;
  return {exclude, key: key ?? 'function',
    pattern: key ? rest.slice(key.length + 1) : rest};
}

// The text as above; a `/regex/` or a part of a name. null: no such regex.
export function matcher(pattern: string): ((text: string) => boolean) | null {
  const regex = /^\/(.+)\/$/.exec(pattern)?.[1];
  if (!regex)
    return text => text.includes(pattern);
  try {
    const compiled = new RegExp(regex);
    return text => compiled.test(text);
  } catch {
    return null;
  }
}

// For a filter that says so exactly: the name as a whole.
export function exactly(name: string): string {
  return `/^${name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}$/`;
}

export class Selection {
  readonly shape: Shape;
  private readonly chosen: Uint8Array;   // of groups
  private readonly costs: GroupCosts[];  // of sides
  private readonly selfs = new Map<string, Float64Array>();
  private readonly alls = new Map<string, Float64Array>();

  constructor(readonly model: Model, readonly window: Window | null,
    readonly filters: string[], readonly hideSystem: boolean) {
    this.shape = model.shape(hideSystem);
    this.chosen = choose(model, filters.map(parseFilter));
    this.costs = model.sides.map(side => side.costs(window));
  }

  get comparing(): boolean {
    return this.model.base !== null;
  }

  has(group: number): boolean {
    return this.chosen[group] === 1;
  }

  ofGroup(field: Field, side: number): Float64Array {
    return this.costs[side]![field];
  }

  leaf(group: number): number {
    return this.shape.nodeOf[this.model.group.node[group]!]!;
  }

  // Of each node, what it allocated itself.
  self(field: Field, side: number): Float64Array {
    return memo(this.selfs, field + side, () => {
      const out = new Float64Array(this.shape.n);
      const costs = this.costs[side]![field];
      for (let g = 0; g < costs.length; g++)
        if (this.chosen[g])
          out[this.leaf(g)]! += costs[g]!;
      return out;
    });
  }

  // Of each node, with all that is below it.
  all(field: Field, side: number): Float64Array {
    return memo(this.alls, field + side, () => {
      const out = this.self(field, side).slice();
      for (let i = this.shape.n - 1; i > 0; i--)
        out[this.shape.parent[i]!]! += out[i]!;
      return out;
    });
  }

  // Of each node, by how much its own cost has changed, up or down; `below`:
  // with those of all that is below it.
  changed(cost: Cost, below: boolean): Float64Array {
    return memo(this.alls, `changed ${cost} ${below}`, () => {
      const before = this.self(cost, 1);
      const out = this.self(cost, 0).map((v, i) => Math.abs(v - before[i]!));
      for (let i = this.shape.n - 1; below && i > 0; i--)
        out[this.shape.parent[i]!]! += out[i]!;
      return out;
    });
  }

  total(field: Field, side: number): number {
    return this.all(field, side)[0] ?? 0;
  }

  // A number of the whole selection: with a base, how it has changed.
  amount(field: Field): number {
    return this.total(field, 0) - (this.comparing ? this.total(field, 1) : 0);
  }

  // What percentages are of: with a base, of that.
  whole(cost: Cost): number {
    return this.total(cost, this.comparing ? 1 : 0);
  }
}

function memo<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

function choose(model: Model, filters: Filter[]): Uint8Array {
  const chosen = new Uint8Array(model.groups).fill(1);

  for (const filter of filters) {
    const wanted = test(model, filter);
    for (let g = 0; g < chosen.length; g++)
      if (wanted(g) === filter.exclude)
        chosen[g] = 0;
  }
  return chosen;
}

// Whether a group matches a filter's pattern.
function test(model: Model, {key, pattern}: Filter): (g: number) => boolean {
  if (key === 'size')
    return sizeTest(model, pattern);
  const match = matcher(pattern);
  if (!match)
    return () => false;
  const known = model.strings.map(text => text !== '' && match(text));
  if (key === 'thread')
    return g => known[model.group.thread[g]!]!;

  const {n, parent, frame} = model.shape(false);
  const texts = model.frame[key];
  const hit = new Uint8Array(n);
  for (let i = 1; i < n; i++) {
    const f = frame[i]!;
    const is = known[texts[f]!] &&
      !(key === 'function' && model.has(f, UNKNOWN));
    hit[i] = Number(is || hit[parent[i]!] === 1);
  }
  return g => hit[model.group.node[g]!] === 1;
}

// `64..127`: sizes in the page are powers of two, so a range takes those that
// are wholly in it.
function sizeTest(model: Model, pattern: string): (g: number) => boolean {
  const range = /^(\d*)(\.\.)?(\d*)$/.exec(pattern);
  if (!range)
    return () => false;
  const from = Number(range[1] || 0);
  const to = range[2] ? Number(range[3] || Infinity) : from;
  return g => {
    const bucket = model.group.size[g]!;
    const least = bucket ? 2 ** (bucket - 1) : 0;
    return least >= from && (bucket ? 2 * least - 1 : 0) <= to;
  };
}
