// SPDX-License-Identifier: LGPL-2.1-or-later
// Trees of calls, in any direction, merged by function, line, file or module
// as ht-top's are. A node's children are made when they are first asked for:
// of 100,000 stacks only what is looked at costs anything.
import {compare, isAny, noCosts, type Costs} from './costs';
import {COSTS, type By, type Cost} from './model';
import type {Selection} from './selection';

export type Direction = 'top-down' | 'bottom-up' | 'callers' | 'callees';

export interface Node {
  readonly parent: Node | null;
  readonly depth: number;   // of a root 0
  readonly key: number;
  frame: number;            // that stands for it
  readonly costs: Costs;
  readonly self: Costs;     // of what ends here
  // Where in the selection's shape it is; bottom-up also, of each, where on
  // the stack the way up began.
  readonly at: number[];
  readonly start: number[];
  children: Node[] | null;
}

export class Tree {
  readonly root: Node;
  private readonly keys: Int32Array;
  private readonly up: boolean;
  private readonly merges: boolean;  // one key directly after the same
  // What a node of the shape adds to the costs of a node here: top-down with
  // what is below it; bottom-up what the stacks that begin there cost.
  private readonly weights: Weight[];
  private readonly own: Weight[];      // without what is below it
  private readonly weighs: Uint8Array; // whether any of them is not 0

  // Callers and callees are of frames that `of` marks.
  constructor(readonly selection: Selection, readonly by: By,
    direction: Direction, of: Uint8Array | null = null) {
    this.keys = selection.model.keysBy(by);
    this.merges = by === 'file' || by === 'module';
    this.up = direction === 'bottom-up' || direction === 'callers';
    this.own = weights(selection, false);
    this.weights = !this.up ? weights(selection, true)
      : of ? atInnermost(selection, of, this.own) : this.own;
    this.weighs = anyOf(this.weights, selection.shape.n);
    this.root = {parent: null, depth: -1, key: -1, frame: 0,
      costs: noCosts(), self: noCosts(), at: [0], start: [], children: null};
    this.root.children = this.group(this.root, this.up ? this.starts()
      : of ? this.outermost(of) : this.below(this.root));
    for (const child of this.root.children)
      child.costs.forEach((v, i) => this.root.costs[i]! += v);
  }

  children(node: Node): Node[] {
    return node.children ??=
      this.group(node, this.up ? this.above(node) : this.below(node));
  }

  // Upward, what ends at a node says only where stacks begin.
  get down(): boolean {
    return !this.up;
  }

  // Children with anything of a cost, the largest change first.
  sorted(node: Node, cost: Cost): Node[] {
    const {model} = this.selection;
    return this.children(node)
      .filter(child => isAny(child.costs, cost))
      .sort((a, b) => compare(a.costs, b.costs, cost) ||
        model.comparePlaces(this.by, a.frame, b.frame));
  }

  // How much of a cost has changed, up or down, stack by stack.
  changed(node: Node, cost: Cost): number {
    const sum = this.up ? this.selection.changed(cost, false)
      : this.selection.changed(cost, true);
    let changed = 0;
    for (const at of this.up ? node.start : node.at)
      changed += sum[at]!;
    return changed;
  }

  // A name that finds the node again in the same report.
  id(node: Node): string {
    return this.up ? `${node.start[0]}.${node.at[0]}` : String(node.at[0]);
  }

  find(id: string): Node | null {
    const [first, last] = id.split('.').map(Number);
    const {shape} = this.selection;
    const path: number[] = [];

    if (!(first! > 0 && first! < shape.n))
      return null;
    for (let at = first!; at > 0; at = shape.parent[at]!) {
      path.push(at);
      if (this.up && at === last)
        break;
    }
    if (!this.up)
      path.reverse();
    let node = this.root;
    for (const step of path) {
      const key = this.keys[shape.frame[step]!]!;
      if (this.merges && node.key === key)
        continue;
      const next = this.children(node).find(child => child.key === key);
      if (next)
        node = next;
      else if (node !== this.root)
        return null;
    }
    return node === this.root ? null : node;
  }

  // --- where children are ---------------------------------------------------

  private *below(node: Node): Iterable<[at: number, start: number]> {
    for (const p of node.at)
      for (const c of this.next(p))
        if (!this.merges || !this.isSame(node, c))
          yield [c, c];
  }

  private *next(parent: number): Iterable<number> {
    const {end} = this.selection.shape;

    for (let c = parent + 1; c < end[parent]!; c = end[c]!)
      if (this.weighs[c])
        yield c;
  }

  private isSame(node: Node, at: number): boolean {
    return this.keys[this.selection.shape.frame[at]!] === node.key;
  }

  private *above(node: Node): Iterable<[at: number, start: number]> {
    const {parent} = this.selection.shape;

    for (let i = 0; i < node.at.length; i++) {
      const p = parent[node.at[i]!]!;
      if (p)
        yield [p, node.start[i]!];
    }
  }

  private *starts(): Iterable<[at: number, start: number]> {
    for (let i = 1; i < this.weighs.length; i++)
      if (this.weighs[i])
        yield [i, i];
  }

  // Nodes with a marked frame that are below no other: of a recursion the
  // first.
  private *outermost(of: Uint8Array): Iterable<[at: number, start: number]> {
    const {n, frame, end} = this.selection.shape;

    for (let i = 1; i < n;) {
      if (of[frame[i]!] && this.weighs[i])
        yield [i, i];
      i = of[frame[i]!] ? end[i]! : i + 1;
    }
  }

  // --- making nodes ---------------------------------------------------------

  private group(parent: Node,
    items: Iterable<[at: number, start: number]>): Node[] {
    const {frame} = this.selection.shape;
    const {rank} = this.selection.model;
    const nodes = new Map<number, Node>();

    for (const [at, start] of items) {
      const f = frame[at]!;
      const key = this.keys[f]!;
      let node = nodes.get(key);
      if (!node) {
        node = {parent, depth: parent.depth + 1, key, frame: f,
          costs: noCosts(), self: noCosts(), at: [], start: [],
          children: null};
        nodes.set(key, node);
      }
      if (rank[f]! < rank[node.frame]!)
        node.frame = f;
      add(node.costs, this.weights, start);
      if (this.up)
        this.addUp(node, at, start);
      else
        this.addDown(node, at);
    }
    return [...nodes.values()];
  }

  private addUp(node: Node, at: number, start: number): void {
    const {parent} = this.selection.shape;
    let p = parent[at]!;

    while (this.merges && p && this.isSame(node, p)) {
      at = p;
      p = parent[at]!;
    }
    node.at.push(at);
    node.start.push(start);
    if (p === 0)
      add(node.self, this.weights, start);
  }

  private addDown(node: Node, at: number): void {
    for (let i = node.at.push(at) - 1; i < node.at.length; i++) {
      add(node.self, this.own, node.at[i]!);
      if (this.merges)
        for (const c of this.next(node.at[i]!))
          if (this.isSame(node, c))
            node.at.push(c);
    }
  }
}

// A cost of one side, of each node of the shape, and where in Costs it goes.
interface Weight {
  slot: number;
  of: Float64Array;
}

function add(costs: Costs, weights: Weight[], i: number): void {
  for (const {slot, of} of weights)
    costs[slot]! += of[i]!;
}

// What nodes cost, with or without what is below them.
function weights(selection: Selection, below: boolean): Weight[] {
  return COSTS.flatMap((cost, i) => selection.model.sides.map((_, side) => ({
    slot: 2 * i + side,
    of: below ? selection.all(cost, side) : selection.self(cost, side),
  })));
}

function anyOf(weights: Weight[], n: number): Uint8Array {
  const any = new Uint8Array(n);
  for (const {of} of weights)
    for (let i = 0; i < n; i++)
      if (of[i])
        any[i] = 1;
  return any;
}

// The weights of stacks as if each began at its innermost marked frame; those
// without one weigh nothing.
function atInnermost(selection: Selection, of: Uint8Array,
  own: Weight[]): Weight[] {
  const {n, parent, frame} = selection.shape;
  const begin = new Int32Array(n);

  for (let i = 1; i < n; i++)
    begin[i] = of[frame[i]!] ? i : begin[parent[i]!]!;
  return own.map(({slot, of: weight}) => {
    const moved = new Float64Array(n);
    for (let i = 1; i < n; i++)
      if (begin[i])
        moved[begin[i]!]! += weight[i]!;
    return {slot, of: moved};
  });
}
