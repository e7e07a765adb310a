// SPDX-License-Identifier: LGPL-2.1-or-later
// Trees as tables: bottom-up, top-down, and a function's callers and callees.
import {Choice, h} from './dom';
import {INLINED, type By, type Cost} from './model';
import {callees, callers, functions, placeName, placeOf, sorted,
  type FunctionRow}
  from './rows';
import {change, compare, isAll, type Costs} from './costs';
import type {Selection} from './selection';
import type {TreeKind} from './state';
import {Table, type Line, type Look} from './table';
import {Tree, type Node} from './tree';
import {CostChoice, type Context, type View} from './view';

const CHAIN = 64;      // levels that open at once
const MOST = 0.9;      // of a cost: then there is nothing else to look at
const AT_ONCE = 2000;  // rows that open at once

// One tree in a table: which nodes are open is its own.
class TreeTable {
  readonly table: Table;
  private tree: Tree | null = null;
  private readonly open = new Set<Node>();
  private readonly byId = new Map<string, Node>();
  private chosen = '';
  private cost: Cost = 'peak';

  constructor(label: string, private readonly context: Context,
    private readonly keeps: boolean) {
    this.table = new Table(label, true, {
      sort: (cost, sort) => context.store.set({cost, sort}),
      select: id => {
        this.chosen = id;
        if (keeps)
          context.store.set({at: id}, true);
      },
      toggle: (id, all) => this.toggle(id, all),
      activate: id => this.toCallers(id),
    });
  }

  show(tree: Tree): void {
    const {at, cost} = this.context.state;

    this.cost = cost;
    if (tree !== this.tree) {
      this.open.clear();
      this.tree = tree;
      const roots = tree.sorted(tree.root, cost);
      if (roots.length === 1)
        this.openChain(roots[0]!);
    }
    if (this.keeps && at !== this.chosen) {
      this.chosen = at;
      // A link to a node: the way to it is open, and what it leads to.
      const node = at ? tree.find(at) : null;
      for (let up = node?.parent; up?.parent; up = up.parent)
        this.open.add(up);
      if (node)
        this.openChain(node);
    }
    this.draw();
    this.table.reveal();
  }

  private draw(): void {
    const tree = this.tree!;
    const lines: Line[] = [];

    this.byId.clear();
    const stack = [this.children(tree.root).reverse()];
    while (stack.length) {
      const node = stack.at(-1)!.pop();
      if (!node) {
        stack.pop();
        continue;
      }
      const below = this.open.has(node) ? this.children(node) : null;
      lines.push(this.line(node, below));
      if (below)
        stack.push(below.reverse());
    }
    this.table.show(lines, lookOf(this.context, tree.by, {self: tree.down}),
      this.chosen);
  }

  private line(node: Node, below: Node[] | null): Line {
    const tree = this.tree!;
    const {model} = this.context;
    const id = tree.id(node);
    const place = placeOf(model, tree.by, node.frame);
    const merged = tree.by === 'file' || tree.by === 'module';

    this.byId.set(id, node);
    return {id, level: node.depth,
      open: isAll(node.costs, node.self, this.cost) ? null : below !== null,
      name: placeName(model, tree.by, node.frame),
      mark: !merged && model.has(node.frame, INLINED) ? 'i' : '',
      where: place.short, path: place.whole, costs: node.costs,
      self: tree.down ? node.self : null};
  }

  private children(node: Node): Node[] {
    return inOrder(this.tree!.sorted(node, this.cost), this.context.state.sort,
      n => n.costs, this.cost, n => placeName(this.context.model,
        this.tree!.by, n.frame),
      n => placeOf(this.context.model, this.tree!.by, n.frame).whole);
  }

  // Opens a node, and on below it while one has nearly all.
  private openChain(node: Node): void {
    for (let i = 0; i < CHAIN; i++) {
      this.open.add(node);
      const [next] = this.tree!.sorted(node, this.cost);
      if (!next || Math.abs(change(next.costs, this.cost)) <
          MOST * Math.abs(change(node.costs, this.cost)))
        break;
      node = next;
    }
  }

  private openAll(node: Node): void {
    const queue = [node];
    for (let i = 0; i < queue.length && i < AT_ONCE; i++) {
      this.open.add(queue[i]!);
      queue.push(...this.tree!.sorted(queue[i]!, this.cost));
    }
  }

  private toggle(id: string, all: boolean): void {
    const node = this.byId.get(id)!;
    if (all)
      this.openAll(node);
    else if (this.open.has(node))
      this.open.delete(node);
    else
      this.openChain(node);
    this.draw();
  }

  private toCallers(id: string): void {
    const {model, store} = this.context;
    const node = this.byId.get(id)!;
    store.set({tree: 'callers', fn: model.frame.symbol[node.frame]!, at: ''});
  }
}

export class TreeView implements View {
  readonly element: HTMLElement;
  private readonly cost: CostChoice;
  private readonly kind: Choice<TreeKind>;
  private readonly by: Choice<By>;
  private readonly main: TreeTable;
  private readonly all: Table;
  private readonly above: TreeTable;
  private readonly below: TreeTable;
  private readonly aboveTitle = h('h2');
  private readonly belowTitle = h('h2');
  private readonly sides: HTMLElement;
  private key = '';   // which tree it is
  private fn = 0;     // whose callers and callees
  private of: Selection | null = null;
  private tree: Tree | null = null;
  private pair: [Tree, Tree] | null = null;
  private rows: FunctionRow[] = [];

  constructor(private readonly context: Context) {
    const {store} = context;
    this.cost = new CostChoice(context);
    this.kind = new Choice<TreeKind>('tree', [
      ['bottom-up', 'bottom-up', 'from what allocates up to its callers'],
      ['top-down', 'top-down', 'from main down to what allocates'],
      ['callers', 'callers and callees', 'of any one function']],
    tree => store.set({tree, at: ''}));
    this.by = new Choice<By>('rows by', [['function', 'function'],
      ['line', 'line'], ['file', 'file'], ['module', 'module']],
    by => store.set({by, at: ''}));
    this.main = new TreeTable('tree', context, true);
    this.above = new TreeTable('callers', context, false);
    this.below = new TreeTable('callees', context, false);
    this.all = new Table('functions', false, {
      sort: (cost, sort) => store.set({cost, sort}),
      select: id => store.set({fn: Number(id)}, true),
    });
    this.sides = h('div.sides', {},
      h('section', {}, h('h2', {}, 'functions'), this.all.element),
      h('section', {}, this.aboveTitle, this.above.table.element),
      h('section', {}, this.belowTitle, this.below.table.element));
    this.element = h('div.treeview', {},
      h('div.bar', {}, this.cost.element, this.kind.element, this.by.element),
      this.main.table.element, this.sides);
  }

  show(): void {
    const {state} = this.context;
    const pair = state.tree === 'callers';

    this.cost.show();
    this.kind.show(state.tree);
    this.by.show(state.by);
    this.by.element.hidden = pair;
    this.main.table.element.hidden = pair;
    this.sides.hidden = !pair;
    if (pair)
      this.showPair();
    else
      this.showTree();
  }

  private showTree(): void {
    const {state, selection} = this.context;
    const key = `${state.tree} ${state.by}`;

    if (!this.tree || this.tree.selection !== selection || this.key !== key)
      this.tree = new Tree(selection, state.by,
        state.tree === 'top-down' ? 'top-down' : 'bottom-up');
    this.key = key;
    this.main.show(this.tree);
  }

  private showPair(): void {
    const {state, selection, model} = this.context;
    const {cost, sort} = state;

    if (this.of !== selection)
      this.rows = functions(selection);
    const rows = inOrder(sorted(model, 'function', this.rows,
      cost), sort,
      row => row.costs, cost, row => row.name,
      row => placeOf(model, 'function', row.frame).whole);
    const chosen = this.rows.find(row => row.symbol === state.fn) ?? rows[0];

    if (this.of !== selection || !this.pair || chosen?.symbol !== this.fn)
      this.pair = [callers(selection, chosen?.symbol ?? 0),
        callees(selection, chosen?.symbol ?? 0)];
    this.of = selection;
    this.fn = chosen?.symbol ?? 0;
    this.all.show(rows.map(row => {
      const place = placeOf(model, 'function', row.frame);
      return {id: String(row.symbol), level: 0, open: null, name: row.name,
        mark: '', where: place.short, path: place.whole, costs: row.costs,
        self: row.self};
    }), lookOf(this.context, 'function', {self: true}), String(this.fn));
    this.all.reveal();
    this.aboveTitle.textContent = 'callers';
    this.belowTitle.textContent = 'callees';
    this.above.show(this.pair[0]);
    this.below.show(this.pair[1]);
  }
}

export function lookOf(context: Context, by: By | 'thread' | 'kind',
  more: {self: boolean}): Look {
  const {state, selection} = context;
  return {cost: state.cost, costs: context.model.costs, sort: state.sort,
    whole: selection.whole(state.cost), comparing: selection.comparing,
    windowed: selection.window !== null,
    nameTitle: by === 'line' ? 'function and line' : by, ...more};
}

// Items that are sorted by cost, as a table is to show them.
export function inOrder<T>(items: T[], sort: string, costs: (item: T) => Costs,
  cost: Cost, name: (item: T) => string, where: (item: T) => string): T[] {
  const key = sort.replace('-', '');

  if (key === 'name' || key === 'where') {
    const text = key === 'name' ? name : where;
    items.sort((a, b) => text(a) < text(b) ? -1 : text(a) > text(b) ? 1
      : compare(costs(a), costs(b), cost));
  }
  return sort.startsWith('-') ? items.reverse() : items;
}
