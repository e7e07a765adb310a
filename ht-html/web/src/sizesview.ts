// SPDX-License-Identifier: LGPL-2.1-or-later
// How large blocks are and how long they lived, by powers of two, and which
// functions allocate them.
import {Choice, h} from './dom';
import * as fmt from './fmt';
import type {Side} from './model';
import type {Selection} from './selection';
import {onTheme, theme} from './theme';
import type {Context, View} from './view';

const MOST = 8;
const NEVER = 100, UNKNOWN = 101; // after all ages

interface Bucket {
  blocks: number[];   // of sides
  bytes: number[];
  parts: Map<number, [blocks: number, bytes: number]>; // now, by symbol
}

class Histogram {
  readonly buckets = new Map<number, Bucket>();

  add(bucket: number, side: number, symbol: number, blocks: number,
    bytes: number): void {
    if (!blocks)
      return;
    let b = this.buckets.get(bucket);
    if (!b) {
      b = {blocks: [0, 0], bytes: [0, 0], parts: new Map()};
      this.buckets.set(bucket, b);
    }
    b.blocks[side]! += blocks;
    b.bytes[side]! += bytes;
    if (side === 0) {
      const part = b.parts.get(symbol) ?? [0, 0];
      part[0] += blocks;
      part[1] += bytes;
      b.parts.set(symbol, part);
    }
  }
}

export class SizesView implements View {
  readonly element: HTMLElement;
  private readonly bars: Choice<'calls' | 'total'>;
  private readonly body = h('div.histograms');
  private readonly legend = h('ul.legend');
  private of: Selection | null = null;
  private sizes = new Histogram();
  private lives = new Histogram();

  constructor(private readonly context: Context) {
    this.bars = new Choice('bars by', [['calls', 'calls'],
      ['total', 'bytes']], bars => context.store.set({bars}));
    this.element = h('div.sizes.page', {},
      h('div.bar', {}, this.bars.element, h('span.note', {},
        'colours are the functions that allocate')),
      this.legend, this.body);
    onTheme(() => this.of && this.draw());
  }

  show(): void {
    const {selection, state} = this.context;

    this.bars.show(state.bars);
    if (this.of !== selection)
      this.count(selection);
    this.of = selection;
    this.draw();
  }

  private count(selection: Selection): void {
    const {model, shape} = selection;

    this.sizes = new Histogram();
    this.lives = new Histogram();
    for (const [side, s] of model.sides.entries()) {
      const calls = selection.ofGroup('calls', side);
      const total = selection.ofGroup('total', side);
      const symbol = (g: number) =>
        model.frame.symbol[shape.frame[selection.leaf(g)]!]!;

      for (let g = 0; g < model.groups; g++)
        if (selection.has(g))
          this.sizes.add(model.group.size[g]!, side, symbol(g), calls[g]!,
            total[g]!);
      this.countLives(selection, s, side, symbol);
    }
  }

  private countLives(selection: Selection, s: Side, side: number,
    symbol: (g: number) => number): void {
    const {model} = selection;
    const calls = selection.ofGroup('calls', side);
    const total = selection.ofGroup('total', side);
    const never = selection.ofGroup('leaked_blocks', side);
    const neverBytes = selection.ofGroup('leaked', side);
    const known = new Float64Array(model.groups);
    const knownBytes = new Float64Array(model.groups);

    s.eachLife(selection.window, (g, age, blocks, bytes) => {
      if (!selection.has(g))
        return;
      known[g]! += blocks;
      knownBytes[g]! += bytes;
      this.lives.add(age, side, symbol(g), blocks, bytes);
    });
    for (let g = 0; g < model.groups; g++) {
      if (!selection.has(g))
        continue;
      const [blocks, bytes] = [never[g]!, neverBytes[g]!];
      this.lives.add(NEVER, side, symbol(g), blocks, bytes);
      this.lives.add(UNKNOWN, side, symbol(g),
        Math.max(0, calls[g]! - blocks - known[g]!),
        total[g]! - bytes - knownBytes[g]!);
    }
  }

  private draw(): void {
    const {selection} = this.context;
    const top = this.topFunctions();
    const alive = selection.window ? 'alive' : 'never';

    this.body.replaceChildren(
      this.histogram('Sizes', 'of allocations', 'size', this.sizes, top,
        fmt.sizeBucket, b => this.sizeLink(b)),
      this.histogram('Lifetimes', 'of blocks', 'freed after', this.lives, top,
        b => b === NEVER ? alive : b === UNKNOWN ? 'not known'
          : fmt.ageBucket(b), () => null));
  }

  private histogram(name: string, note: string, head: string, of: Histogram,
    top: Map<number, number>, nameOf: (bucket: number) => string,
    link: (bucket: number) => string | null): HTMLElement {
    const {selection, state} = this.context;
    const sign = selection.comparing;
    const amounts = (b: Bucket) => state.bars === 'calls' ? b.blocks : b.bytes;
    const value = (b: Bucket) => amounts(b)[0]! - (sign ? amounts(b)[1]! : 0);
    const buckets = [...of.buckets].sort(([a], [b]) => order(a) - order(b));
    const side = sign ? 1 : 0;
    const sum = buckets.reduce((n, [, b]) => n + b.blocks[side]!, 0);
    const largest = Math.max(1, ...buckets.map(([, b]) => Math.abs(value(b))));

    return h('section', {'data-histogram': name.toLowerCase()},
      h('h2', {}, name, h('span.note', {}, note)),
      h('table.buckets', {},
        h('thead', {}, h('tr', {}, ...[head, 'calls', '%', 'bytes', '']
          .map(text => h('th', {scope: 'col'}, text)))),
        h('tbody', {}, ...buckets.map(([bucket, b]) => {
          const calls = b.blocks[0]! - (sign ? b.blocks[1]! : 0);
          const bytes = b.bytes[0]! - (sign ? b.bytes[1]! : 0);
          const href = link(bucket);
          return h('tr', {'data-bucket': bucket},
            h('th', {scope: 'row'}, href ? h('a', {href,
              title: 'only blocks of these sizes'}, nameOf(bucket))
              : nameOf(bucket)),
            h('td', {'data-v': calls}, fmt.amount(calls, 'count', sign)),
            h('td', {}, fmt.amountPercent(calls, sum, sign)),
            h('td', {'data-v': bytes}, fmt.amount(bytes, 'bytes', sign)),
            h('td.stack', {}, sign ? changeBar(value(b), largest)
              : this.bar(b, largest, top)));
        }))));
  }

  // One bucket's bar, of a part for each function.
  private bar(b: Bucket, largest: number,
    top: Map<number, number>): HTMLElement {
    const {state} = this.context;
    const at = state.bars === 'calls' ? 0 : 1;
    const parts = new Array<number>(MOST + 1).fill(0);

    for (const [symbol, amounts] of b.parts)
      parts[top.get(symbol) ?? MOST]! += amounts[at]!;
    const names = [...top.keys()];
    return h('div.bars', {}, ...parts.map((n, i) => n > 0 && h('i', {
      '--share': (n / largest).toFixed(5), '--colour': colour(i),
      title: `${i < MOST ? fmt.fit(fmt.safe(this.nameOf(names[i]!)), 80)
        : 'all others'}: ${fmt.amount(n, at ? 'bytes' : 'count')}`})));
  }

  private nameOf(symbol: number): string {
    const {model} = this.context;
    return model.functionName(model.frame.symbol.indexOf(symbol));
  }

  // The functions with most, and their numbers.
  private topFunctions(): Map<number, number> {
    const {state, store} = this.context;
    const at = state.bars === 'calls' ? 0 : 1;
    const sums = new Map<number, number>();

    for (const {parts} of this.sizes.buckets.values())
      for (const [symbol, amounts] of parts)
        sums.set(symbol, (sums.get(symbol) ?? 0) + amounts[at]!);
    const top = [...sums].sort((a, b) => b[1] - a[1]).slice(0, MOST)
      .map(([symbol]) => symbol);
    this.legend.hidden = this.context.selection.comparing;
    this.legend.replaceChildren(...top.map((symbol, i) => {
      const name = fmt.safe(this.nameOf(symbol));
      return h('li', {}, h('i', {'--colour': colour(i)}),
        h('a.code', {title: name.slice(0, 1000), href: store.href(
          {view: 'tree', tree: 'callers', fn: symbol, at: ''})},
        fmt.fit(name, 34)));
    }), sums.size > MOST ? h('li', {}, h('i', {'--colour': colour(MOST)}),
      h('span', {}, 'all others')) : '');
    return new Map(top.map((symbol, i) => [symbol, i]));
  }

  private sizeLink(bucket: number): string | null {
    const {state, store} = this.context;
    const from = bucket ? 2 ** (bucket - 1) : 0;
    const filter = `size=${bucket < 2 ? from : `${from}..${2 * from - 1}`}`;
    return state.filters.includes(filter) ? null
      : store.href({filters: [...state.filters, filter], at: ''});
  }
}

function colour(i: number): string {
  const {series} = theme();
  return i < MOST ? series[i]! : series.at(-1)!;
}

// As in ht-top: what is not known before what was never freed.
function order(bucket: number): number {
  return bucket === NEVER ? UNKNOWN : bucket === UNKNOWN ? NEVER : bucket;
}

function changeBar(v: number, largest: number): HTMLElement {
  return h(`div.bars.${v < 0 ? 'less' : 'more'}`, {},
    h('i', {'--share': (Math.abs(v) / largest).toFixed(5)}));
}
