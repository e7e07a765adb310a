// SPDX-License-Identifier: LGPL-2.1-or-later
// The flame graph with what is around it: search, direction, and what the
// frame that is pinned or pointed at costs.
import {MEANING, UNIT, base, change, costText, now, percentText, title}
  from './costs';
import {Choice, h} from './dom';
import {Flame} from './flame';
import * as fmt from './fmt';
import {INLINED, type Cost, type Model} from './model';
import {placeOf} from './rows';
import {exactly, matcher, type Selection} from './selection';
import type {Width} from './state';
import {onTheme} from './theme';
import {Tree, type Node} from './tree';
import {CostChoice, type Context, type View} from './view';

export class FlameView implements View {
  readonly element: HTMLElement;
  private readonly flame: Flame;
  private readonly cost: CostChoice;
  private readonly direction: Choice<'down' | 'up'>;
  private readonly width: Choice<Width>;
  private readonly find: HTMLInputElement;
  private readonly found = h('output.found');
  private readonly details = h('div.details', {role: 'status'});
  private readonly tip = h('div.tip', {role: 'tooltip', hidden: true});
  private readonly reset: HTMLElement;
  private tree: Tree | null = null;
  private pinned: Node | null = null;

  constructor(private readonly context: Context) {
    const {store} = context;
    this.cost = new CostChoice(context);
    this.direction = new Choice('direction', [
      ['down', 'from main', 'callers above what they call'],
      ['up', 'from allocations', 'what allocates above its callers']],
    v => store.set({inverted: v === 'up', at: ''}));
    this.width = new Choice<Width>('width of frames', [
      ['change', 'change', 'as wide as what changed, up or down'],
      ['now', 'now'], ['base', 'base']], width => store.set({width}));
    this.find = h('input', {type: 'search', placeholder: 'Mark functions…',
      'aria-label': 'mark functions: a part of the name or /regex/',
      spellcheck: 'false', autocomplete: 'off',
      oninput: () => store.set({find: this.find.value}, true),
    }) as HTMLInputElement;
    this.reset = h('button', {type: 'button',
      onclick: () => store.set({at: ''})}, 'whole graph');
    this.flame = new Flame({
      zoom: node => store.set({at: node ? this.tree!.id(node) : ''}),
      hover: (node, x, y) => this.hover(node, x, y),
      cursor: node => this.describe(node),
    });
    this.element = h('div.flameview', {},
      h('div.bar', {}, this.cost.element, this.direction.element,
        context.model.base ? this.width.element : null, this.find, this.found,
        h('span.space'), this.reset),
      this.flame.element, this.details, this.tip);
    onTheme(() => this.flame.redraw());
  }

  show(): void {
    const {state, selection} = this.context;

    if (this.tree?.selection !== selection ||
        this.tree.down === state.inverted)
      this.tree = new Tree(selection, 'function',
        state.inverted ? 'bottom-up' : 'top-down');
    this.cost.show();
    this.direction.show(state.inverted ? 'up' : 'down');
    this.width.show(state.width);
    if (this.find.value !== state.find)
      this.find.value = state.find;
    const marks = this.marks();
    this.flame.show({tree: this.tree, cost: state.cost, width: state.width,
      comparing: selection.comparing, marks}, state.at);
    this.pinned = state.at ? this.tree.find(state.at) : null;
    this.reset.hidden = this.pinned === null;
    this.describe(this.pinned);
    this.tellFound(selection, marks);
  }
  // Frames whose function is looked for.
  private marks(): Uint8Array | null {
    const {model, state} = this.context;
    const match = state.find ? matcher(state.find) : null;

    this.find.setCustomValidity(state.find && !match
      ? 'this is no regular expression' : '');
    if (!match)
      return null;
    const texts = model.strings.map(text => Number(match(text)));
    return Uint8Array.from(model.frame.function, text => texts[text]!);
  }

  private tellFound(selection: Selection, marks: Uint8Array | null): void {
    const {cost} = this.context.state;
    if (!marks) {
      this.found.textContent = '';
      return;
    }
    // Each stack with such a frame once.
    const {n, frame, end} = selection.shape;
    const sides = selection.model.sides.map((_, side) =>
      selection.all(cost, side));
    const sums = sides.map(() => 0);
    for (let i = 1; i < n;) {
      const hit = marks[frame[i]!] === 1;
      if (hit)
        sides.forEach((all, side) => sums[side]! += all[i]!);
      i = hit ? end[i]! : i + 1;
    }
    const v = sums[0]! - (sums[1] ?? 0);
    this.found.textContent = [
      fmt.amount(v, UNIT[cost], selection.comparing),
      fmt.amountPercent(v, selection.whole(cost), selection.comparing)]
      .filter(Boolean).join(', ') + (selection.whole(cost) ? ' %' : '');
  }

  private hover(node: Node | null, x: number, y: number): void {
    this.tip.hidden = node === null;
    if (!node)
      return;
    this.tip.replaceChildren(...this.costsOf(node, true));
    const {offsetWidth: width, offsetHeight: height} = this.tip;
    const left = x + 14 + width > innerWidth ? x - 14 - width : x + 14;
    const top = y + 18 + height > innerHeight ? y - 10 - height : y + 18;
    this.tip.style.left = `${Math.max(4, left)}px`;
    this.tip.style.top = `${Math.max(4, top)}px`;
  }

  private describe(node: Node | null): void {
    const {model, store} = this.context;

    if (!node) {
      this.details.replaceChildren(h('p.faint', {}, 'Click a frame to zoom ' +
        'and pin it. Arrow keys move from frame to frame, Enter zooms, ' +
        'Escape goes back.'));
      return;
    }
    const name = model.functionName(node.frame);
    const filter = exactly(name);
    const {filters} = this.context.state;
    const [title, place, table] = this.costsOf(node, false);
    this.details.replaceChildren(h('div.about', {}, title!, place!,
      h('p.links', {},
        h('a', {href: store.href({view: 'tree', tree: 'callers',
          fn: model.frame.symbol[node.frame]!, at: ''})},
        'callers and callees'),
        h('a', {href: store.href({filters: [...filters, filter], at: ''})},
          'only stacks with it'),
        h('a', {href: store.href({filters: [...filters, `!${filter}`],
          at: ''})}, 'only without it'))), table!);
  }

  private costsOf(node: Node, short: boolean): HTMLElement[] {
    const {state, model} = this.context;
    const name = fmt.safe(model.functionName(node.frame));
    const costs = short ? [state.cost] : model.costs;

    return [h('p.code.name', {}, short ? fmt.fit(name, 300)
      : name.slice(0, 3000)),
    h('p.where', {}, where(model, node)),
    this.table(node, costs)];
  }

  // A column for each cost.
  private table(node: Node, costs: readonly Cost[]): HTMLElement {
    const {selection, state} = this.context;
    const sign = selection.comparing;
    const row = (name: string, cell: (cost: Cost) => string,
      classes: (cost: Cost) => string = () => '') =>
      h('tr', {'data-row': name}, h('th', {scope: 'row'}, name),
        ...costs.map(cost => h(`td${cost === state.cost ? '.on' : ''}${
          classes(cost)}`, {'data-cost': cost}, cell(cost))));
    const text = (n: number, cost: Cost) => fmt.amount(n, UNIT[cost]);

    return h('table', {}, h('thead', {}, h('tr', {}, h('td'), ...costs.map(
      cost => h('th', {scope: 'col', title: MEANING[cost]},
        title(cost, selection.window !== null))))),
    h('tbody', {}, row(sign ? 'change' : 'all',
      cost => costText(node.costs, cost, sign),
      cost => sign ? classOf(change(node.costs, cost)) : ''),
    row('%', cost =>
      percentText(node.costs, cost, selection.whole(cost), sign)),
    ...sign ? [row('base', cost => text(base(node.costs, cost), cost)),
      row('now', cost => text(now(node.costs, cost), cost))]
      : this.tree!.down
        ? [row('self', cost => costText(node.self, cost, false))] : []));
  }
}

function classOf(v: number): string {
  return v > 0 ? '.more' : v < 0 ? '.less' : '.zero';
}

function where(model: Model, node: Node): string {
  const {whole} = placeOf(model, 'function', node.frame);
  const module = model.moduleName(node.frame);
  return [whole, whole === module ? '' : module,
    model.has(node.frame, INLINED) ? 'inlined' : '']
    .filter(Boolean).map(text => fmt.safe(text.slice(0, 300))).join(' · ');
}
