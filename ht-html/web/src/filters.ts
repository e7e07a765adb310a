// SPDX-License-Identifier: LGPL-2.1-or-later
// The filters that all views are of: what is typed counts at once, Enter keeps
// it beside the next one.
import {h} from './dom';
import {fit, safe} from './fmt';
import {matcher, parseFilter} from './selection';
import type {Store} from './state';

const WAIT = 200; // ms without a key

export class Filters {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
  private readonly chips = h('span.chips');
  private readonly key: HTMLSelectElement;
  private draft = '';   // the last filter, while it is typed
  private timer = 0;

  constructor(private readonly store: Store) {
    const option = (value: string) => h('option', {value}, value);
    this.key = h('select', {'aria-label': 'what the filter is of',
      onchange: () => this.typed()}, option('function'), option('file'),
    option('module'), option('thread')) as HTMLSelectElement;
    this.input = h('input', {type: 'search', spellcheck: 'false',
      autocomplete: 'off', placeholder: 'Filter stacks…',
      title: 'a part of the name, or /regex/; ! before it leaves out ( / )',
      'aria-label': 'filter stacks: a part of the name or /regex/',
      oninput: () => {
        clearTimeout(this.timer);
        this.timer = window.setTimeout(() => this.typed(), WAIT);
      },
      onkeydown: (event: KeyboardEvent) => this.pressed(event),
    }) as HTMLInputElement;
    this.element = h('div.filters', {role: 'search'}, this.chips,
      h('span.field', {}, this.key, this.input));
  }

  show(): void {
    const {filters} = this.store.state;

    if (this.draft && filters.at(-1) !== this.draft) {
      this.draft = '';
      this.input.value = '';
    }
    const kept = this.draft ? filters.slice(0, -1) : filters;
    this.chips.replaceChildren(...kept.map((text, i) => {
      const {exclude, key, pattern} = parseFilter(text);
      const shown = safe(`${exclude ? 'not ' : ''}${key} ${plain(pattern)}`);
      return h('span.chip', {title: shown.slice(0, 1000)},
        h('span', {}, fit(shown, 40)),
        h('button', {type: 'button', 'aria-label': `remove filter ${
          shown.slice(0, 200)}`, onclick: () => this.store.set({
          filters: filters.filter((_, j) => j !== i), at: ''})}, '×'));
    }));
  }

  private typed(): void {
    const {filters} = this.store.state;
    const kept = this.draft ? filters.slice(0, -1) : filters;
    const text = this.input.value.trim();
    const exclude = text.startsWith('!');
    const pattern = exclude ? text.slice(1) : text;

    this.input.setCustomValidity(matcher(pattern) ? ''
      : 'this is no regular expression');
    this.draft = pattern && matcher(pattern)
      ? `${exclude ? '!' : ''}${this.key.value}=${pattern}` : '';
    this.store.set({filters: this.draft ? [...kept, this.draft] : kept,
      at: ''}, true);
  }

  private pressed(event: KeyboardEvent): void {
    if (event.key === 'Enter') {
      clearTimeout(this.timer);
      this.typed();
      this.draft = '';
      this.input.value = '';
      this.show();
    } else if (event.key === 'Escape' && this.input.value) {
      this.input.value = '';
      this.typed();
      event.stopPropagation();
    }
  }
}

// What exactly() made, as the name that it was.
function plain(pattern: string): string {
  const exact = /^\/\^(.*)\$\/$/.exec(pattern)?.[1];
  return exact ? exact.replace(/\\(.)/g, '$1') : pattern;
}
