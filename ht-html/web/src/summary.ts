// SPDX-License-Identifier: LGPL-2.1-or-later
// The first view: what was recorded, its totals, and of each cost the places
// that have most of it.
import {MEANING, UNIT, change, costText, percentText, title, type Costs}
  from './costs';
import {characterWidth, h} from './dom';
import * as fmt from './fmt';
import type {SideHead} from './data';
import {INLINED, type Cost, type Side} from './model';
import {placeOf, places, sorted, type Row} from './rows';
import type {Context, View} from './view';

const TOP = 8;
const LISTS: Cost[] = ['peak', 'leaked', 'calls', 'temporary'];

export class Summary implements View {
  readonly element = h('div.summary.page');

  constructor(private readonly context: Context) {
    new ResizeObserver(() => this.fitNames()).observe(this.element);
  }

  show(): void {
    const {model, selection} = this.context;
    const rows = places(selection, 'line');

    this.element.replaceChildren(
      model.base ? this.comparison() : this.totals(),
      h('div.lists', {}, ...LISTS.map(cost => this.list(cost, rows))),
      h('div.facts', {}, ...model.sides.map(side => this.facts(side)),
        ...model.sides.map(side => this.suppressed(side))));
    this.fitNames();
  }

  // --- totals ---------------------------------------------------------------

  private totals(): HTMLElement {
    const {model, selection, window, state} = this.context;
    const {head} = model.now;
    const n = (field: Parameters<typeof selection.amount>[0]) =>
      selection.amount(field);
    const several = head.traces !== 1;
    const chosen = window !== null || state.filters.length > 0;
    const blocks = fmt.plural(n('leaked_blocks'), 'block');

    return h('div.tiles', {},
      tile(several ? 'sum of peaks' : 'peak', fmt.bytes(n('peak')),
        several ? `the largest ${fmt.bytes(head.largest_peak)}`
          : `at ${fmt.ms(model.now.peakMoment(window))}`),
      tile(title('leaked', window !== null), fmt.bytes(n('leaked')),
        `in ${blocks}`),
      tile('allocations', fmt.count(n('calls')),
        `${fmt.bytes(n('total'))} in all`),
      tile('temporary', fmt.count(n('temporary')), n('calls')
        ? `${fmt.percent(n('temporary'), n('calls'))} % of allocations` : ''),
      !chosen && head.peak_rss
        ? tile('peak RSS', fmt.bytes(head.peak_rss), head.own_rss
          ? `${fmt.bytes(head.own_rss)} are the recorder’s`
          : 'of the process') : null,
      tile(several ? 'run times' : 'run time', fmt.ms(head.runtime_ms),
        several ? `the longest ${fmt.ms(head.longest_ms)}` : endText(model.now)
      ));
  }

  private comparison(): HTMLElement {
    const {selection, window} = this.context;
    const line = (name: string, field: Cost) => {
      const [now, base] = [selection.total(field, 0), selection.total(field, 1)];
      const v = now - base;
      const unit = UNIT[field];
      return h('tr', {}, h('th', {scope: 'row'}, name),
        h('td', {}, fmt.amount(base, unit)), h('td', {}, fmt.amount(now, unit)),
        h(`td.${v > 0 ? 'more' : v < 0 ? 'less' : 'zero'}`, {'data-v': v},
          fmt.amount(v, unit, true)),
        h('td', {}, fmt.amountPercent(v, base, true)));
    };
    return h('table.comparison', {},
      h('thead', {}, h('tr', {}, h('td'), ...['base', 'now', 'change', '%']
        .map(text => h('th', {scope: 'col'}, text)))),
      h('tbody', {}, line('allocations', 'calls'),
        line('temporary', 'temporary'), line('asked for', 'total'),
        line('peak', 'peak'), line(title('leaked', window !== null),
          'leaked')));
  }

  // --- lists ----------------------------------------------------------------

  private list(cost: Cost, all: Row[]): HTMLElement {
    const {selection, store, window, model} = this.context;
    const rows = sorted(model, 'line', all, cost);
    const whole = selection.whole(cost);
    const name = title(cost, window !== null);
    const rest = rows.slice(TOP);
    const more = {view: 'tree', tree: 'bottom-up', by: 'line', cost, sort: '',
      at: ''} as const;

    return h('section.list', {'data-list': cost},
      h('h2', {title: MEANING[cost]},
        h('a', {href: store.href(more)}, HEADS[cost]),
        h('span.total', {}, fmt.amount(selection.amount(cost), UNIT[cost],
          selection.comparing))),
      rows.length ? null : h('p.nothing', {}, `nothing ${selection.comparing
        ? 'has changed' : name === 'alive' ? 'is alive' : NOTHING[cost]}`),
      h('ol', {}, ...rows.slice(0, TOP).map(row => h('li', {},
        h('a', {href: store.href({...more, at: `${row.node}.${row.node}`})},
        ...numbers(row.costs, cost, whole, selection.comparing),
        h('span.code.function', {'data-name': fmt.safe(row.name),
          title: fmt.safe(row.name.slice(0, 1000))}),
        model.has(row.frame, INLINED)
          ? h('abbr', {title: 'inlined into its caller'}, 'i') : null,
        h('span.where', {title: fmt.safe(placeOf(model, 'line', row.frame)
          .whole.slice(0, 1000))},
        fmt.safe(placeOf(model, 'line', row.frame).short)))))),
      rest.length ? h('p.rest', {}, h('a', {href: store.href(more)},
        `${fmt.amount(rest.reduce((sum, row) => sum + change(row.costs, cost),
          0), UNIT[cost], selection.comparing)} in ${
          fmt.plural(rest.length, 'other place')}`)) : null);
  }

  // Names are shortened as ht-top does it, to the room that there is.
  private fitNames(): void {
    const cells = this.element.querySelectorAll<HTMLElement>('[data-name]');
    const room = [...cells].map(cell =>
      Math.floor(cell.clientWidth / characterWidth()));
    cells.forEach((cell, i) => {
      cell.textContent = fmt.fit(cell.dataset['name']!, Math.max(8, room[i]!));
    });
  }

  // --- what it is about -----------------------------------------------------

  private facts(side: Side): HTMLElement {
    const {head} = side;
    const {data} = this.context.model;
    const facts: [string, string | null][] = [
      ['command', head.command],
      ['traces', head.traces === 1 ? null : fmt.count(head.traces)],
      ['launchers', head.launchers ? `${fmt.count(head.launchers)} left out`
        : null],
      ['files', head.files.join(', ')],
      ['recorded', head.start ? fmt.date(head.start) : null],
      ['ended', endText(side) || null],
      ['run time', fmt.ms(head.runtime_ms)],
      ['peak RSS', head.peak_rss ? fmt.bytes(head.peak_rss) : null],
      ['resident set', head.rss_explained ? explained(head) : null],
      ['rounding up', head.rounding || head.rounding_leaked
        ? roundedUp(head) : null],
      ['distinct stacks', fmt.count(data.head.stacks)],
      ['written by', head.tool],
      ['this page by', data.head.tool],
      ['selection', data.head.selection.join(' ') || null],
    ];
    const name = this.context.model.base ? side.name : 'recording';
    return h('section', {}, h('h2', {}, name),
      h('dl', {}, ...facts.filter(([, value]) => value).flatMap(
        ([key, value]) => [h('dt', {}, key),
          h('dd', {}, fmt.safe(value!.slice(0, 4000)))])));
  }

  private suppressed(side: Side): HTMLElement | null {
    const {suppressed} = side.head;
    if (!suppressed.blocks)
      return null;
    return h('section', {'data-suppressed': side.name},
      h('h2', {}, 'suppressed leaks', h('span.total', {},
        `${fmt.bytes(suppressed.bytes)} in ${
          fmt.plural(suppressed.blocks, 'block')}`)),
      h('table.plain', {}, h('tbody', {}, ...suppressed.by.map(by =>
        h('tr', {}, h('td', {}, fmt.bytes(by.bytes)),
          h('td', {}, fmt.plural(by.blocks, 'block')),
          h('td.code', {}, fmt.safe(by.pattern)),
          h('td.faint', {}, by.origin))))));
  }
}

const HEADS: Record<Cost, string> = {
  peak: 'Held at the peak', leaked: 'Never freed', calls: 'Most calls',
  temporary: 'Most temporary', total: 'Most bytes',
  others: 'Most freed by others'};
const NOTHING: Record<Cost, string> = {peak: 'was allocated',
  leaked: 'was leaked', calls: 'was allocated', temporary: 'was temporary',
  total: 'was allocated', others: 'was freed by another thread'};

// As ht-top says it.
function explained(head: SideHead): string {
  return `of ${fmt.bytes(head.rss_explained)} resident the heap explains ${
    fmt.bytes(head.rss_heap)}, maps ${fmt.bytes(head.rss_maps)}, the rest ${
    fmt.bytes(head.rss_rest)}`;
}

function roundedUp(head: SideHead): string {
  const share = head.peak
    ? ` (${fmt.percent(head.rounding, head.peak)} %)` : '';
  return `costs ${fmt.bytes(head.rounding)} at the ${head.traces === 1
    ? 'peak' : 'peaks'}${share}, ${fmt.bytes(head.rounding_leaked)} at the end`;
}

function tile(name: string, value: string, note: string): HTMLElement {
  return h('div.tile', {'data-tile': name}, h('span.key', {}, name),
    h('strong', {}, value), h('span.note', {}, note));
}

function share(costs: Costs, cost: Cost, whole: number): string {
  return (whole > 0 ? Math.min(1, Math.abs(change(costs, cost)) / whole) : 0)
    .toFixed(4);
}

function numbers(costs: Costs, cost: Cost, whole: number,
  sign: boolean): HTMLElement[] {
  const v = change(costs, cost);
  return [h(`span.amount${sign ? v > 0 ? '.more' : '.less' : ''}`,
    {'data-v': v}, costText(costs, cost, sign)),
  h('span.percent', {'--share': share(costs, cost, whole)}, percentText(costs, cost, whole, sign))];
}

export function endText(side: Side): string {
  const {end, end_value} = side.head;
  switch (end) {
  case 'exit': return `exit ${end_value}`;
  case 'signal': return `killed by signal ${end_value}`;
  case 'stopped': return 'recording stopped';
  case 'truncated': return 'truncated';
  case null: return '';
  default: return end;
  }
}

// Why numbers are not the whole truth, as ht-top says it.
export function notices(side: Side): [strong: string, rest: string][] {
  const {head} = side;
  const out: [string, string][] = [];

  if (head.truncated)
    out.push(['TRUNCATED', head.traces === 1
      ? ': the trace is without an end: what follows is its start only'
      : ': traces are without an end: what follows is their start only']);
  if (head.lost)
    out.push(['LOST', `: ${fmt.count(head.lost)} events are missing: the ` +
      'numbers are too low']);
  if (head.overflow)
    out.push(['WRONG', ': the live bytes do not fit in 64 bits']);
  if (head.missed_frees)
    out.push(['', `${fmt.count(head.missed_frees)} frees were missed: their ` +
      'blocks ended when the address came again']);
  if (head.attached)
    out.push(['', 'recorded from the middle on: earlier blocks do not count']);
  if (head.sampled)
    out.push(['', 'estimated: not every block is recorded (ht-top has the intervals)']);
  return out;
}
