// SPDX-License-Identifier: LGPL-2.1-or-later
// What is shown is in the fragment of the page's address: a link to it shows
// the same, and the browser's back button goes back.
import {COSTS, type By, type Cost, type Window} from './model';

export const VIEWS =
  ['summary', 'time', 'flame', 'tree', 'sizes', 'threads'] as const;
export type View = typeof VIEWS[number];
export const TREES = ['bottom-up', 'top-down', 'callers'] as const;
export type TreeKind = typeof TREES[number];
export const WIDTHS = ['change', 'now', 'base'] as const;
export type Width = typeof WIDTHS[number];

export interface State {
  view: View;
  cost: Cost;
  window: Window | null;  // buckets
  filters: string[];      // selection.ts
  own: boolean;           // system frames are hidden
  tree: TreeKind;
  by: By;
  sort: string;           // tables: '' the cost; name, where; '-': upward
  at: string;             // the node that is selected, or zoomed to
  fn: number;             // the symbol in callers and callees
  inverted: boolean;      // flame graph: what allocates at the root
  find: string;           // flame graph: what is marked
  width: Width;           // flame graph of a comparison
  bars: 'calls' | 'total'; // histograms
}

const START: State = {view: 'summary', cost: 'peak', window: null, filters: [],
  own: false, tree: 'bottom-up', by: 'function', sort: '', at: '', fn: 0,
  inverted: false, find: '', width: 'change', bars: 'calls'};

function oneOf<T extends string>(list: readonly T[], text: string | null,
  otherwise: T): T {
  return list.includes(text as T) ? text as T : otherwise;
}

function readWindow(text: string | null): Window | null {
  const [, from, to] = /^(\d+)-(\d+)$/.exec(text ?? '') ?? [];
  return from && to && Number(from) < Number(to)
    ? {from: Number(from), to: Number(to)} : null;
}

export function read(fragment: string): State {
  const [view, query] = fragment.replace(/^#/, '').split('?');
  const q = new URLSearchParams(query);
  return {
    view: oneOf(VIEWS, view!, START.view),
    cost: oneOf(COSTS, q.get('cost'), START.cost),
    window: readWindow(q.get('window')),
    filters: q.getAll('filter').filter(text => text !== ''),
    own: q.has('own'),
    tree: oneOf(TREES, q.get('tree'), START.tree),
    by: oneOf(['function', 'line', 'file', 'module'], q.get('by'), START.by),
    sort: q.get('sort') ?? '',
    at: q.get('at') ?? '',
    fn: Number(q.get('fn')) || 0,
    inverted: q.has('inverted'),
    find: q.get('find') ?? '',
    width: oneOf(WIDTHS, q.get('width'), START.width),
    bars: oneOf(['calls', 'total'], q.get('bars'), START.bars),
  };
}

export function write(s: State): string {
  const q = new URLSearchParams();
  const put = (key: keyof State & string, value = String(s[key])) => {
    if (s[key] !== START[key])
      q.append(key, value);
  };

  put('cost');
  if (s.window)
    q.set('window', `${s.window.from}-${s.window.to}`);
  for (const filter of s.filters)
    q.append('filter', filter);
  put('own', '1');
  put('tree');
  put('by');
  put('sort');
  put('at');
  put('fn');
  put('inverted', '1');
  put('find');
  put('width');
  put('bars');
  const query = q.toString();
  return `#${s.view}${query ? `?${query}` : ''}`;
}

type Listener = (state: State, before: State) => void;

export class Store {
  state: State;
  private readonly listeners: Listener[] = [];

  constructor() {
    this.state = read(location.hash);
    addEventListener('hashchange', () => this.take(read(location.hash)));
    addEventListener('popstate', () => this.take(read(location.hash)));
  }

  listen(listener: Listener): void {
    this.listeners.push(listener);
  }

  // `quiet`: no step of its own for the back button, as while somebody types.
  set(change: Partial<State>, quiet = false): void {
    const next = {...this.state, ...change};
    const fragment = write(next);
    if (fragment === write(this.state))
      return;
    try {
      if (quiet)
        history.replaceState(null, '', fragment);
      else
        history.pushState(null, '', fragment);
    } catch {
      // A frame without rights: it works without an address.
    }
    this.take(next);
  }

  // Where a link would lead.
  href(change: Partial<State>): string {
    return write({...this.state, ...change});
  }

  private take(next: State): void {
    const before = this.state;
    if (write(next) === write(before))
      return;
    this.state = next;
    for (const listener of this.listeners)
      listener(next, before);
  }
}
