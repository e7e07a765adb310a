// SPDX-License-Identifier: LGPL-2.1-or-later
// What each thread, module and kind of allocation costs. A row that is opened
// becomes a filter.
import {h} from './dom';
import {baseName} from './fmt';
import {groups, places, sorted, type Row} from './rows';
import {exactly} from './selection';
import {Table} from './table';
import {inOrder, lookOf} from './treeview';
import {CostChoice, type Context, type View} from './view';

type What = 'thread' | 'module' | 'kind';

export class ThreadsView implements View {
  readonly element: HTMLElement;
  private readonly cost: CostChoice;
  private readonly tables = new Map<What, Table>();
  private readonly sections = new Map<What, HTMLElement>();

  constructor(private readonly context: Context) {
    this.cost = new CostChoice(context);
    for (const [what, name, note] of [
      ['thread', 'Threads', 'that allocated'],
      ['module', 'Modules', 'whose code allocated'],
      ['kind', 'Kinds', 'of allocation']] as const) {
      const table = new Table(name, false, {
        sort: (cost, sort) => context.store.set({cost, sort}),
        select: () => undefined,
        activate: id => this.filter(what, id),
      });
      this.tables.set(what, table);
      this.sections.set(what, h('section', {'data-by': what},
        h('h2', {}, name, h('span.note', {}, `${note}${what === 'kind' ? ''
          : '; double-click or Enter shows only its stacks'}`)),
        table.element));
    }
    this.element = h('div.threads.page', {},
      h('div.bar', {}, this.cost.element), ...this.sections.values());
  }

  show(): void {
    const {selection} = this.context;
    const kinds = groups(selection, 'kind');

    this.cost.show();
    this.fill('thread', groups(selection, 'thread'));
    this.fill('module', places(selection, 'module'));
    this.fill('kind', kinds.map(row => ({...row, name: row.name || 'malloc'})));
    this.sections.get('kind')!.hidden = kinds.length < 2 &&
      !kinds.some(row => row.name !== '');
  }

  private fill(what: What, rows: Row[]): void {
    const {state, model} = this.context;
    const table = this.tables.get(what)!;
    const ordered = inOrder(sorted(model, 'module', rows, state.cost), state.sort,
      row => row.costs, state.cost, row => row.name, row => row.name);

    table.element.style.setProperty('--rows', String(ordered.length));
    table.show(ordered.map(row => {
      const name = row.name || '(unknown)';
      return {id: row.name, level: 0, open: null,
        name: what === 'module' ? baseName(name) : name, mark: '',
        where: what === 'module' && name.includes('/') ? name : '',
        path: name, costs: row.costs, self: null};
    }), lookOf(this.context, what === 'module' ? 'module' : what,
      {self: false}), '');
  }

  private filter(what: What, name: string): void {
    const {state, store} = this.context;
    if (what !== 'kind' && name)
      store.set({filters: [...state.filters, `${what}=${exactly(name)}`],
        at: ''});
  }
}
