// SPDX-License-Identifier: LGPL-2.1-or-later
// The page around the views: what was recorded, the strip of time, the tabs,
// and what all views have in common.
import {h, toggle} from './dom';
import {Filters} from './filters';
import {FlameView} from './flameview';
import * as fmt from './fmt';
import type {Cost, Model, Side} from './model';
import {OverTime} from './overtime';
import {SizesView} from './sizesview';
import {VIEWS, type Store, type View as Name} from './state';
import {Strip} from './strip';
import {Summary, endText, notices} from './summary';
import {switchTheme} from './theme';
import {ThreadsView} from './threadsview';
import {TreeView} from './treeview';
import {Context, type View} from './view';

const NAMES: Record<Name, string> = {summary: 'Summary', time: 'Over time',
  flame: 'Flame graph', tree: 'Trees', sizes: 'Sizes and lifetimes',
  threads: 'Threads and modules'};

const KEYS: [string, string][] = [['1 … 6', 'the views'],
  ['p l c t b o', 'by peak, leaked, calls, temporary, bytes, frees by others'],
  ['/', 'filter stacks'], ['s', 'hide or show system frames'],
  ['↑ ↓ ← →', 'move in tables, trees and the flame graph'],
  ['Enter', 'zoom; callers and callees of a function'],
  ['*', 'open all that is below'],
  ['Escape', 'zoom out; the whole run'], ['d', 'dark or light'],
  ['?', 'these keys']];

export class App {
  private readonly context: Context;
  private readonly strip: Strip;
  private readonly filters: Filters;
  private readonly own: ReturnType<typeof toggle>;
  private readonly tabs = new Map<Name, HTMLElement>();
  private readonly views = new Map<Name, View>();
  private readonly main = h('main', {tabindex: -1});
  private readonly bar: HTMLElement;
  private readonly help: HTMLDialogElement;

  constructor(root: HTMLElement, private readonly model: Model,
    private readonly store: Store) {
    this.context = new Context(model, store);
    this.strip = new Strip(model, store);
    this.filters = new Filters(store);
    this.own = toggle('hide system frames', 'what the system’s libraries and ' +
      'the standard library allocate counts for their callers (s)',
    own => store.set({own, at: ''}));
    this.help = this.makeHelp();
    this.bar = h('section.bar.common', {'aria-label': 'selection'}, this.own.label, h('span.space'),
      this.filters.element);
    root.replaceChildren(this.header(), this.strip.element, this.nav(),
      this.bar, this.main, this.help);
    store.listen(() => this.show());
    addEventListener('keydown', event => this.key(event));
    this.show();
  }

  // --- parts ----------------------------------------------------------------

  private header(): HTMLElement {
    const {model} = this;
    const {head} = model.now;
    const {title: named} = model.data.head;
    const name = named || commandOf(model.now);
    document.title = `${fmt.safe(name.slice(0, 200))} · ht`;

    return h('header', {},
      h('div.what', {},
        h('h1', {title: fmt.safe((head.command ?? name).slice(0, 2000))},
          fmt.safe(name.slice(0, 1000))),
        h('p', {}, ...[
          fmt.ms(head.runtime_ms), endText(model.now),
          head.start ? fmt.date(head.start) : '',
          model.base ? `against ${fmt.safe(commandOf(model.base)
            .slice(0, 300))}` : '',
          named && head.command ? fmt.safe(head.command.slice(0, 300)) : '']
          .filter(Boolean).map(text => h('span', {}, text))),
        ...model.sides.flatMap(side => notices(side).map(([strong, rest]) =>
          h('p.notice', {role: 'note'}, h('strong', {}, strong), rest)))),
      h('div.tools', {},
        h('button', {type: 'button', title: 'keys (?)', 'aria-label': 'keys',
          onclick: () => this.help.showModal()}, '?'),
        h('button', {type: 'button', title: 'light or dark (d)',
          'aria-label': 'light or dark', onclick: switchTheme}, '◐')));
  }

  private nav(): HTMLElement {
    for (const [i, name] of VIEWS.entries())
      this.tabs.set(name, h('a', {role: 'tab', id: `tab-${name}`,
        title: `${i + 1}`, 'data-text': NAMES[name],
        onclick: (event: MouseEvent) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey)
            return;
          event.preventDefault();
          this.open(name);
        }}, NAMES[name]));
    return h('nav', {}, h('div', {role: 'tablist', 'aria-label': 'views',
      onkeydown: (event: KeyboardEvent) => this.moveTab(event)},
    ...this.tabs.values()));
  }

  private makeHelp(): HTMLDialogElement {
    return h('dialog', {'aria-label': 'keys', onclick: (event: MouseEvent) => {
      if (event.target === this.help)
        this.help.close();
    }}, h('h2', {}, 'Keys'), h('dl', {}, ...KEYS.flatMap(([key, what]) =>
      [h('dt', {}, key), h('dd', {}, what)])),
    h('form', {method: 'dialog'}, h('button', {}, 'Close'))) as
      HTMLDialogElement;
  }

  private view(name: Name): View {
    let view = this.views.get(name);
    if (!view) {
      const kinds = {summary: Summary, time: OverTime, flame: FlameView,
        tree: TreeView, sizes: SizesView, threads: ThreadsView};
      view = new kinds[name](this.context);
      view.element.setAttribute('role', 'tabpanel');
      view.element.setAttribute('aria-labelledby', `tab-${name}`);
      this.views.set(name, view);
      this.main.append(view.element);
    }
    return view;
  }

  // --- showing --------------------------------------------------------------

  private show(): void {
    const {state} = this.store;
    const current = this.view(state.view);

    for (const [name, tab] of this.tabs) {
      tab.setAttribute('aria-selected', String(name === state.view));
      tab.setAttribute('href', this.store.href({view: name, at: ''}));
      tab.tabIndex = name === state.view ? 0 : -1;
    }
    this.own.checked = state.own;
    this.filters.show();
    this.strip.show();
    for (const view of this.views.values())
      view.element.hidden = view !== current;
    this.tabs.get(state.view)!.scrollIntoView(
      {block: 'nearest', inline: 'nearest'});
    current.show();
  }

  private open(view: Name): void {
    this.store.set({view, at: '', sort: ''});
  }

  private moveTab(event: KeyboardEvent): void {
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!step)
      return;
    const i = VIEWS.indexOf(this.store.state.view);
    const next = VIEWS[(i + step + VIEWS.length) % VIEWS.length]!;
    this.open(next);
    this.tabs.get(next)!.focus();
    event.preventDefault();
    event.stopPropagation();
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    const {state} = this.store;
    const costs: Record<string, Cost> = {p: 'peak', l: 'leaked', c: 'calls',
      t: 'temporary', b: 'total', o: 'others'};

    if (event.ctrlKey || event.metaKey || event.altKey || this.help.open ||
        /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName) &&
        (target as HTMLInputElement).type !== 'checkbox')
      return;
    if (VIEWS[Number(event.key) - 1])
      this.open(VIEWS[Number(event.key) - 1]!);
    else if (costs[event.key])
      this.store.set({cost: costs[event.key]!, sort: ''});
    else if (event.key === '/')
      this.filters.input.focus();
    else if (event.key === 's')
      this.store.set({own: !state.own, at: ''});
    else if (event.key === 'd')
      switchTheme();
    else if (event.key === '?')
      this.help.showModal();
    else if (event.key === 'Escape')
      this.store.set(state.at && state.view === 'flame' ? {at: ''}
        : {window: null, at: ''});
    else
      return;
    event.preventDefault();
  }
}

function commandOf(side: Side): string {
  const {command, traces, files} = side.head;
  if (command)
    return command;
  return traces === 1 ? files[0] ?? 'a program without a name'
    : `${fmt.count(traces)} traces`;
}
