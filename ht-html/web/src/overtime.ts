// SPDX-License-Identifier: LGPL-2.1-or-later
// Over time: live bytes by the functions that allocate most, calls and
// temporary allocations, resident memory.
import {TimeChart, type Line} from './chart';
import type {Column} from './data';
import {h} from './dom';
import * as fmt from './fmt';
import {momentOf, type Buckets} from './model';
import type {Selection} from './selection';
import {windowsOf} from './strip';
import {theme} from './theme';
import {timeline, type Timeline} from './timeline';
import type {Context, View} from './view';

const MOST = 8;

export class OverTime implements View {
  readonly element = h('div.overtime.page');
  private readonly live: Panel;
  private readonly rates: Panel;
  private readonly rss: Panel;
  private readonly none = h('p.nothing', {}, 'Of several traces, or of a ' +
    'profile, there is no one time line.');
  private of: Selection | null = null;

  constructor(private readonly context: Context) {
    this.live = new Panel('Live memory by function',
      'at the end of a bucket');
    this.rates = new Panel('Allocations', 'calls and temporary ones a second');
    this.rss = new Panel('Whole process', 'live and resident memory');
    this.element.append(this.none, this.live.element, this.rates.element,
      this.rss.element);
  }

  show(): void {
    const {context} = this;
    const {model, store, selection} = context;
    const windows = windowsOf(model, store);
    const end = Math.max(...model.sides.map(s => s.head.longest_ms));

    this.none.hidden = model.time !== null;
    this.live.element.hidden = !model.time;
    if (this.of && this.of.filters === selection.filters &&
        this.of.hideSystem === selection.hideSystem)
      // Only the window is another.
      for (const panel of [this.live, this.rates, this.rss])
        panel.chart.choose(windows);
    else {
      if (model.time)
        this.drawSelected(selection, end, model.time);
      this.drawProcess(end, model.time === null);
    }
    this.of = selection;
  }

  private drawSelected(selection: Selection, end: number,
    {shift, start}: Buckets): void {
    const {context} = this;
    const {model, store} = context;
    const windows = windowsOf(model, store);
    const line = timeline(selection, 0, MOST);
    const base = model.base && timeline(selection, 1, 0);
    this.live.show({shift, start, end, height: 260, unit: 'bytes', axes: true,
      lines: stacked(line, base)}, windows,
    [{name: 'together', href: null, colour: () => 'transparent',
      value: b => fmt.bytes(line.live[b] ?? 0)},
    ...line.functions.map(({frame, live}, i) => ({
      name: frame < 0 ? 'all others' : model.functionName(frame),
      href: frame < 0 ? null : store.href({view: 'tree', tree: 'callers',
        fn: model.frame.symbol[frame]!, at: ''}),
      colour: () => colourOf(i, line),
      value: (b: number) => fmt.bytes(live[b] ?? 0)}))]);
    this.drawRates(line.calls, line.temporary, end, {shift, start, n: 0});
  }

  private drawRates(calls: Column, temporary: Column, end: number,
    {shift, start}: Buckets): void {
    const width = 2 ** shift / 1000;
    const rate = (values: Column) => Float64Array.from(values, (n, b) =>
      n / Math.max(0.001, Math.min(width, (end - start) / 1000 - b * width)));

    this.rates.show({shift, start, end, height: 140, unit: 'rate', axes: true,
      lines: [
        {label: 'calls', values: rate(calls), colour: () => theme().line,
          fill: () => `${theme().line}33`},
        {label: 'temporary', values: rate(temporary),
          colour: () => theme().second, fill: () => `${theme().second}66`}]},
    windowsOf(this.context.model, this.context.store), [
      {name: 'calls', href: null, colour: () => theme().line,
        value: b => fmt.count(calls[b] ?? 0)},
      {name: 'temporary', href: null, colour: () => theme().second,
        value: b => fmt.count(temporary[b] ?? 0)}]);
  }

  // Of the whole program, whatever is chosen.
  private drawProcess(end: number, rates: boolean): void {
    const {model, store} = this.context;
    const {series} = model.now.head;

    this.rss.element.hidden = !series;
    this.rates.element.hidden = rates && !series;
    if (!series)
      return;
    if (rates)
      this.drawRates(model.now.column('series.allocs'),
        model.now.column('series.temporary'), end, {...series, start: 0});
    const max = model.now.column('series.max');
    const rss = model.now.column('series.rss');
    const known = rss.some(v => v > 0);
    this.rss.show({shift: series.shift, start: 0, end, height: 140, unit: 'bytes',
      axes: true, lines: [
        ...(known ? [{label: 'resident', values: fill(rss),
          colour: () => theme().second}] : []),
        {label: 'live', values: max, colour: () => theme().line,
          fill: () => `${theme().line}33`}]}, windowsOf(model, store), [
      {name: 'live, at most', href: null, colour: () => theme().line,
        value: b => fmt.bytes(max[b] ?? 0)},
      ...(known ? [{name: 'resident', href: null, colour: () => theme().second,
        value: (b: number) => rss[b] ? fmt.bytes(rss[b]!) : ''}] : [])]);
  }
}

// A moment without a measurement has the one before it.
function fill(values: ArrayLike<number>): number[] {
  let last = 0;
  return Array.from(values, v => last = v || last);
}

function colourOf(i: number, line: Timeline): string {
  const {series} = theme();
  return i === line.functions.length - 1 ? series.at(-1)!
    : series[i % (series.length - 1)]!;
}

// Areas one upon the other: the topmost first, as the later ones cover it.
function stacked(line: Timeline, base: Timeline | null): Line[] {
  const sum = new Float64Array(line.live.length);
  const lines: Line[] = line.functions.map(({live}, i) => {
    live.forEach((v, b) => sum[b]! += Math.max(0, v));
    return {label: String(i), values: sum.slice(),
      colour: () => colourOf(i, line), fill: () => colourOf(i, line)};
  }).reverse();
  if (base)
    lines.push({label: 'base', values: base.live, colour: () => theme().text,
      dash: [4, 3]});
  return lines;
}

interface Entry {
  name: string;
  href: string | null;
  colour: () => string;
  value(bucket: number): string;
}

// A chart with a legend that tells the values under the pointer.
class Panel {
  readonly element: HTMLElement;
  readonly chart: TimeChart;
  private readonly moment = h('span.moment');
  private readonly legend = h('ul.legend');
  private values: [HTMLElement, Entry][] = [];
  private of: Buckets = {shift: 0, start: 0, n: 0};

  constructor(name: string, note: string) {
    this.chart = new TimeChart(bucket => this.hover(bucket));
    this.element = h('section.panel', {'data-panel': name},
      h('h2', {}, name, h('span.note', {}, note), this.moment),
      h('div.both', {}, this.chart.element, this.legend));
  }

  show(spec: Parameters<TimeChart['show']>[0],
    windows: Parameters<TimeChart['show']>[1], entries: Entry[]): void {
    this.of = {...spec, n: 0};
    this.chart.show(spec, windows);
    this.values = entries.map(entry => [h('span.value'), entry]);
    this.legend.replaceChildren(...this.values.map(([value, entry]) =>
      h('li', {}, h('i', {'--colour': entry.colour()}),
        h(entry.href ? 'a.code' : 'span', {href: entry.href,
          title: fmt.safe(entry.name.slice(0, 1000))},
        fmt.fit(fmt.safe(entry.name), 34)), value)));
  }

  private hover(b: number | null): void {
    this.moment.textContent = b === null ? '' : fmt.ms(momentOf(this.of, b));
    for (const [value, entry] of this.values)
      value.textContent = b === null ? '' : entry.value(b);
  }
}
