// SPDX-License-Identifier: LGPL-2.1-or-later
// The run as a strip above every view: live bytes over time, and on it the
// window that all views are of.
import {TimeChart, type Windows} from './chart';
import {h} from './dom';
import * as fmt from './fmt';
import {momentOf, type Buckets, type Model, type Side, type Window}
  from './model';
import type {Store} from './state';
import {theme} from './theme';

const HEIGHT = 74;

export function windowText(model: Model, window: Window): string {
  const end = Math.max(...model.sides.map(s => s.head.runtime_ms));
  return `${fmt.ms(momentOf(model.time!, window.from))} to ${
    fmt.ms(Math.min(momentOf(model.time!, window.to), end))}`;
}

// Windows for a chart, as the state has them.
export function windowsOf(model: Model, store: Store): Windows | null {
  return model.time && {...model.time, window: store.state.window,
    choose: window => store.set({window, at: ''})};
}

export class Strip {
  readonly element: HTMLElement;
  private readonly chart: TimeChart;
  private readonly text = h('span.text', {role: 'status'});
  private readonly clear: HTMLElement;
  private hovered: number | null = null;

  constructor(private readonly model: Model, private readonly store: Store) {
    this.chart = new TimeChart(bucket => {
      this.hovered = bucket;
      this.say();
    });
    this.clear = h('button.clear', {type: 'button', title: 'Escape',
      onclick: () => this.store.set({window: null, at: ''})}, 'whole run');
    this.element = h('section.strip', {tabindex: model.time ? 0 : -1,
      role: 'group', 'aria-label': 'live memory over time; arrow keys move ' +
        'the window, with shift they widen it',
      onkeydown: (event: KeyboardEvent) => this.key(event)},
    h('div.caption', {}, this.text, this.clear), this.chart.element);
    const lines = model.sides.map((side, i) => ({label: side.name,
      values: lineOf(side).values,
      colour: () => i ? theme().second : theme().line,
      ...(i ? {dash: [4, 3]} : {fill: () => `${theme().line}33`})}));
    if (lines.every(line => line.values.length === 0))
      this.element.hidden = true;
    this.chart.show({...lineOf(model.now), height: HEIGHT,
      end: Math.max(...model.sides.map(s => s.head.longest_ms)),
      unit: 'bytes', axes: false, lines}, windowsOf(model, store));
  }

  show(): void {
    this.chart.choose(windowsOf(this.model, this.store));
    this.say();
  }

  private say(): void {
    const {window} = this.store.state;
    const line = lineOf(this.model.now);
    const b = this.hovered;

    this.clear.hidden = window === null;
    if (b !== null && b >= 0 && b < line.n)
      this.text.textContent = `${fmt.ms(momentOf(line, b))}: up to ${
        fmt.bytes(line.values[b]!)} live`;
    else if (window)
      this.text.textContent = `only ${windowText(this.model, window)}`;
    else
      this.text.textContent = this.model.time
        ? 'live memory; drag to choose a part of the run, click for a moment'
        : 'live memory of all traces';
  }

  private key(event: KeyboardEvent): void {
    const {time} = this.model;
    const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    if (!time || !step)
      return;
    const window = this.store.state.window ?? {from: 0, to: step > 0 ? 0
      : time.n};
    const by = step * Math.max(1, Math.round(time.n / 64));
    const to = Math.max(window.from + 1, Math.min(time.n, window.to + by));
    const from = event.shiftKey || window.from + by < 0 ||
      window.to + by > time.n ? window.from : window.from + by;
    this.store.set({window: {from, to: Math.max(to, from + 1)}, at: ''}, true);
    event.preventDefault();
  }
}

// Live bytes, at the finest there are.
function lineOf(side: Side): Buckets & {values: ArrayLike<number>} {
  const {series} = side.head;
  return series
    ? {...series, start: 0, values: side.column('series.max')}
    : {shift: 4, n: 0, start: 0, values: []};
}
