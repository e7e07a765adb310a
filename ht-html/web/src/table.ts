// SPDX-License-Identifier: LGPL-2.1-or-later
// A table of costs, flat or a tree, of which only the rows in sight exist.
// All rows are of one height, so where each stands needs no measuring.
import {UNIT, base, change, costText, now, percentText, title, type Costs}
  from './costs';
import {characterWidth, eachFrame, h} from './dom';
import {amount, fit, safe} from './fmt';
import {COSTS, type Cost} from './model';

const ROW = 24;   // px, as in the style
const INDENT = 16; // px a level
const SPARE = 8;  // rows above and below what is in sight
const PAPER = 1000; // rows that are printed at most

export interface Line {
  id: string;
  level: number;                  // 0: a root
  open: boolean | null;           // null: nothing is below it
  name: string;
  mark: string;                   // `i`: inlined
  where: string;                  // file:line, or module
  path: string;                   // the same, not shortened
  costs: Costs;
  self: Costs | null;
}

export interface Look {
  cost: Cost;
  costs: readonly Cost[];
  sort: string;       // '', name, where; '-' before it: upward
  whole: number;      // 100 %
  comparing: boolean;
  windowed: boolean;
  nameTitle: string;
  self: boolean;      // a column of what is a row's own
}

export interface Hooks {
  sort(cost: Cost, sort: string): void;
  select(id: string): void;
  toggle?(id: string, all: boolean): void;
  activate?(id: string): void;
}

let tables = 0;

export class Table {
  private readonly prefix = `t${++tables}`;
  readonly element: HTMLElement;
  private readonly head: HTMLElement;
  private readonly body: HTMLElement;
  private readonly drawn = new Map<number, HTMLElement>();
  private lines: Line[] = [];
  private look!: Look;
  private chosen = -1;
  private nameWidth = 60;         // characters, with the place at its right
  private readonly later = eachFrame(() => this.draw());

  constructor(label: string, private readonly tree: boolean,
    private readonly hooks: Hooks) {
    this.head = h('div.head', {role: 'row'});
    this.body = h('div.body', {role: 'rowgroup'});
    this.element = h('div.table', {role: tree ? 'treegrid' : 'grid',
      'aria-label': label, tabindex: 0,
      onkeydown: (event: KeyboardEvent) => this.key(event),
      onscroll: () => this.later(),
      onclick: (event: MouseEvent) => this.click(event),
      ondblclick: (event: MouseEvent) => this.activate(event),
    }, h('div', {role: 'rowgroup'}, this.head), this.body);
    new ResizeObserver(() => this.resize()).observe(this.element);
    addEventListener('beforeprint', () => this.look && this.draw(0,
      Math.min(this.lines.length, PAPER)));
    addEventListener('afterprint', () => this.look && this.draw());
  }

  show(lines: Line[], look: Look, selected: string): void {
    this.lines = lines;
    this.look = look;
    this.chosen = lines.findIndex(line => line.id === selected);
    this.element.setAttribute('aria-rowcount', String(lines.length + 1));
    this.element.classList.toggle('with-self', look.self);
    this.element.classList.toggle('with-others', look.costs.includes('others'));
    this.body.style.height = `${Math.max(1, lines.length) * ROW}px`;
    this.drawHead();
    this.body.replaceChildren();
    this.drawn.clear();
    if (!lines.length)
      this.body.append(h('div.nothing', {role: 'row'},
        h('span', {role: 'cell'}, 'nothing')));
    this.resize();
  }

  // Brings the selected row into sight.
  reveal(): void {
    if (this.chosen < 0)
      return;
    const top = this.chosen * ROW;
    const {scrollTop, clientHeight} = this.element;
    const room = clientHeight - this.head.offsetHeight;
    if (top < scrollTop)
      this.element.scrollTop = top;
    else if (top + ROW > scrollTop + room)
      this.element.scrollTop = top + ROW - room;
    this.draw();
  }

  private resize(): void {
    const cell = this.head.querySelector<HTMLElement>('.name');
    if (cell && cell.clientWidth > 0) {
      this.nameWidth = Math.floor(cell.clientWidth / characterWidth());
      for (const row of this.drawn.values())
        row.remove();
      this.drawn.clear();
    }
    this.draw();
  }

  private drawHead(): void {
    const {look} = this;
    const dir = look.sort.startsWith('-') ? 'ascending' : 'descending';
    const heads = [...look.costs.map(cost => [cost, title(cost, look.windowed)]),
      ...(look.self ? [['self', 'self']] : []), ['percent', '%'],
      ['name', look.nameTitle],
      ...(this.lines.some(line => line.where) ? [['where', 'where']] : [])];
    const key = look.sort.replace('-', '') || look.cost;

    this.head.replaceChildren(...heads.map(([name, text]) => {
      const sortable = name !== 'percent' && name !== 'self';
      const on = name === key;
      return h(`span.${name}${name === look.cost ? '.on' : ''}`,
        {role: 'columnheader',
          'aria-sort': on ? dir : sortable ? 'none' : null},
        sortable ? h('button', {type: 'button', tabindex: -1,
          'data-sort': name!}, text!, on ? h('i.arrow', {'aria-hidden': 'true'},
          dir === 'ascending' ? '▴' : '▾') : null) : text!);
    }));
  }

  private draw(from?: number, to?: number): void {
    const {scrollTop, clientHeight} = this.element;
    const first = from ?? Math.max(0, Math.floor(scrollTop / ROW) - SPARE);
    const end = to ?? Math.min(this.lines.length,
      Math.ceil((scrollTop + clientHeight) / ROW) + SPARE);

    for (const [i, row] of this.drawn) {
      if (i < first || i >= end) {
        row.remove();
        this.drawn.delete(i);
      }
    }
    for (let i = first; i < end; i++) {
      if (!this.drawn.has(i)) {
        const row = this.row(i);
        this.drawn.set(i, row);
        this.body.append(row);
      }
    }
    const active = this.drawn.get(this.chosen);
    this.element.toggleAttribute('data-chosen', active !== undefined);
    if (active)
      this.element.setAttribute('aria-activedescendant', active.id);
    else
      this.element.removeAttribute('aria-activedescendant');
  }

  private row(i: number): HTMLElement {
    const line = this.lines[i]!;
    const {look} = this;
    const sign = look.comparing;
    // What is deeper than there is room for is not shown as deeper.
    const indent = Math.min(line.level * INDENT,
      this.nameWidth * characterWidth() * (this.nameWidth < 60 ? 0.3 : 0.5));

    return h('div.row', {role: 'row', id: `${this.prefix}-${i}`,
      'aria-rowindex': i + 2, 'aria-selected': String(i === this.chosen),
      'aria-level': this.tree ? line.level + 1 : null,
      'aria-expanded': line.open === null ? null : String(line.open),
      'data-i': i, '--y': `${i * ROW}px`},
    ...look.costs.map(cost => number(line.costs, cost, sign,
      cost === look.cost ? `${cost}.on` : cost)),
    look.self && number(line.self!, look.cost, sign, 'self'),
    percentCell(line.costs, look),
    this.nameCell(line, indent));
  }

  private nameCell(line: Line, indent: number): HTMLElement {
    const name = safe(line.name);
    let where = safe(line.where);
    const room = this.nameWidth - Math.ceil(indent / characterWidth()) - 4;
    // Where there is little room the name matters more.
    if (where.length + Math.min(name.length, 16) + 2 > room)
      where = '';
    return h('span.name', {role: 'gridcell', '--indent': `${indent}px`},
      this.tree && h(`i.twist${line.open === null ? '.leaf' : ''}`,
        {'aria-hidden': 'true'}, line.open ? '▾' : '▸'),
      h('span.code', {title: name.slice(0, 1000)}, fit(name,
        Math.max(8, room - (where ? where.length + 2 : 0)))),
      line.mark ? h('abbr', {title: 'inlined into its caller'}, line.mark)
        : null,
      h('span.where', {title: safe(line.path.slice(0, 1000))}, where));
  }

  private choose(i: number): void {
    if (i < 0 || i >= this.lines.length)
      return;
    this.drawn.get(this.chosen)?.setAttribute('aria-selected', 'false');
    this.chosen = i;
    this.drawn.get(i)?.setAttribute('aria-selected', 'true');
    this.reveal();
    this.hooks.select(this.lines[i]!.id);
  }

  private click(event: MouseEvent): void {
    const target = event.target as Element;
    const sort = target.closest<HTMLElement>('[data-sort]')?.dataset['sort'];
    const i = target.closest<HTMLElement>('[data-i]')?.dataset['i'];

    if (sort)
      this.sortBy(sort);
    if (i === undefined)
      return;
    this.choose(Number(i));
    if (target.closest('.twist') && this.lines[Number(i)]!.open !== null)
      this.hooks.toggle?.(this.lines[Number(i)]!.id, event.altKey);
  }

  private activate(event: MouseEvent): void {
    const i = (event.target as Element).closest<HTMLElement>('[data-i]')
      ?.dataset['i'];
    if (i === undefined || (event.target as Element).closest('.twist'))
      return;
    this.open(Number(i));
  }

  private open(i: number): void {
    const line = this.lines[i];
    if (!line)
      return;
    if (line.open !== null)
      this.hooks.toggle?.(line.id, false);
    else
      this.hooks.activate?.(line.id);
  }

  // A column's name: again, the other way round.
  private sortBy(name: string): void {
    const {cost, sort} = this.look;
    const isCost = (COSTS as readonly string[]).includes(name);
    const key = isCost ? '' : name;
    const on = isCost ? name === cost && sort.replace('-', '') === ''
      : sort.replace('-', '') === name;
    this.hooks.sort(isCost ? name as Cost : cost,
      on && !sort.startsWith('-') ? `-${key}` : key);
  }

  private key(event: KeyboardEvent): void {
    const i = this.chosen;
    const line = this.lines[i];
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW) - 2);
    const move: Record<string, number> = {ArrowDown: i + 1, ArrowUp: i - 1,
      PageDown: Math.min(i + page, this.lines.length - 1),
      PageUp: Math.max(i - page, 0), Home: 0, End: this.lines.length - 1};

    if (event.ctrlKey || event.metaKey || event.altKey)
      return;
    if (event.key in move)
      this.choose(move[event.key]!);
    else if (event.key === '*' && line && line.open !== null)
      this.hooks.toggle?.(line.id, true);
    else if (event.key === 'ArrowRight' && line?.open === false)
      this.hooks.toggle?.(line.id, false);
    else if (event.key === 'ArrowRight' && line?.open)
      this.choose(i + 1);
    else if (event.key === 'ArrowLeft' && line?.open)
      this.hooks.toggle?.(line.id, false);
    else if (event.key === 'ArrowLeft' && line)
      this.choose(this.parentOf(i));
    else if (event.key === 'Enter' && line)
      this.hooks.activate ? this.hooks.activate(line.id) : this.open(i);
    else
      return;
    event.preventDefault();
  }

  private parentOf(i: number): number {
    let p = i;
    while (p >= 0 && this.lines[p]!.level >= this.lines[i]!.level)
      p--;
    return p;
  }
}

function number(costs: Costs, cost: Cost, sign: boolean,
  classes: string): HTMLElement {
  const v = change(costs, cost);
  const text = costText(costs, cost, sign);
  const hint = sign ? `${amount(base(costs, cost), UNIT[cost])} → ${
    amount(now(costs, cost), UNIT[cost])}` : null;
  return h(`span.${classes}${v === 0 ? '.zero' : sign ? v > 0 ? '.more'
    : '.less' : ''}`, {role: 'gridcell', title: hint, 'data-v': v}, text);
}

function percentCell(costs: Costs, look: Look): HTMLElement {
  const v = change(costs, look.cost);
  const share = look.whole > 0 ? Math.min(1, Math.abs(v) / look.whole) : 0;
  return h('span.percent', {role: 'gridcell', '--share': share.toFixed(4)},
    percentText(costs, look.cost, look.whole, look.comparing));
}
