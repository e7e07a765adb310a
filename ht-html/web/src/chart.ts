// SPDX-License-Identifier: LGPL-2.1-or-later
// Charts over time, by uPlot. On each of them a drag chooses the window that
// all views are of; it snaps to the buckets of time there are.
import uPlot from 'uplot';
import {h} from './dom';
import * as fmt from './fmt';
import {momentOf, type Buckets, type Window} from './model';
import {onTheme, theme} from './theme';

export interface Line {
  label: string;
  values: ArrayLike<number>;   // of each bucket
  colour: () => string;
  fill?: () => string;
  dash?: number[];
}

export interface Chart {
  shift: number;               // a bucket is 1 << shift ms
  start: number;               // ms, of the first
  end: number;                 // ms
  height: number;
  unit: 'bytes' | 'rate';
  lines: Line[];               // a later one covers those before it
  axes: boolean;
}

export interface Windows extends Buckets {
  window: Window | null;
  choose(window: Window | null): void;
}

const SYNC = 'ht';

function tick(n: number, unit: Chart['unit']): string {
  if (unit === 'bytes')
    return fmt.bytes(n).replace(/\.0+ /, ' ').replace(/(\.\d*?)0+ /, '$1 ');
  if (n >= 1e6)
    return `${n / 1e6} M`;
  return n >= 1e4 ? `${n / 1e3} k` : fmt.count(n);
}

function clock(seconds: number, range: number): string {
  if (range < 600)
    return `${Number(seconds.toFixed(3))} s`;
  const m = Math.floor(seconds / 60);
  const hours = Math.floor(m / 60);
  return hours ? `${hours} h ${m % 60}` : `${m} min${seconds % 60
    ? ` ${Math.round(seconds % 60)}` : ''}`;
}

export class TimeChart {
  readonly element = h('div.chart');
  private plot: uPlot | null = null;
  private windows: Windows | null = null;
  private spec: Chart | null = null;

  // `hover` gets the bucket under the pointer, or null.
  constructor(private readonly hover: (bucket: number | null) => void) {
    new ResizeObserver(() => this.resize()).observe(this.element);
    onTheme(() => this.make());
  }

  show(spec: Chart, windows: Windows | null): void {
    this.spec = spec;
    this.windows = windows;
    this.element.style.height = `${spec.height}px`;
    this.make();
  }

  // Only the window is another.
  choose(windows: Windows | null): void {
    this.windows = windows;
    this.mark();
  }

  private make(): void {
    const {spec} = this;
    const width = this.element.clientWidth;

    this.plot?.destroy();
    this.plot = null;
    if (!spec || width === 0)
      return;
    this.plot = new uPlot(options(spec, width,
      plot => {
        this.plot = plot;
        this.listen(plot);
        this.mark();
      }, bucket => this.hover(bucket)),
    data(spec), this.element);
  }

  private resize(): void {
    if (!this.plot)
      this.make();
    else if (this.plot.width !== this.element.clientWidth) {
      this.plot.setSize({width: this.element.clientWidth,
        height: this.spec!.height});
      this.mark();
    }
  }

  private mark(window = this.windows?.window ?? null): void {
    const {plot, windows} = this;

    if (!plot)
      return;
    if (!windows || !window) {
      plot.setSelect({left: 0, top: 0, width: 0, height: 0}, false);
      return;
    }
    const at = (bucket: number) =>
      plot.valToPos(Math.min(momentOf(windows, bucket),
        this.spec!.end) / 1000, 'x');
    const left = at(window.from);
    plot.setSelect({left, top: 0, width: Math.max(1, at(window.to) - left),
      height: plot.over.clientHeight}, false);
  }

  // Dragging, by mouse, pen or finger.
  private listen(plot: uPlot): void {
    const {over} = plot;
    let start = -1;
    const bucket = (event: PointerEvent): number => {
      const ms = 1000 * plot.posToVal(
        event.clientX - over.getBoundingClientRect().left, 'x');
      return Math.max(0, Math.min(this.windows!.n - 1,
        Math.floor((ms - this.windows!.start) / 2 ** this.windows!.shift)));
    };
    const between = (a: number, b: number): Window =>
      ({from: Math.min(a, b), to: Math.max(a, b) + 1});

    over.addEventListener('pointerdown', event => {
      if (!this.windows || event.button !== 0)
        return;
      start = bucket(event);
      over.setPointerCapture(event.pointerId);
    });
    over.addEventListener('pointermove', event => {
      if (start >= 0)
        this.mark(between(start, bucket(event)));
    });
    over.addEventListener('pointerup', event => {
      if (start >= 0)
        this.windows!.choose(between(start, bucket(event)));
      start = -1;
    });
    over.addEventListener('pointercancel', () => {
      start = -1;
      this.mark();
    });
    over.addEventListener('dblclick', () => this.windows?.choose(null));
  }
}

function data(spec: Chart): uPlot.AlignedData {
  const n = Math.max(0, ...spec.lines.map(line => line.values.length));
  const xs = Array.from({length: n}, (_, i) => (spec.start + i * 2 ** spec.shift) / 1000);
  const columns = spec.lines.map(line =>
    Array.from({length: n + 1}, (_, i) =>
      line.values[Math.min(i, line.values.length - 1)] ?? 0));

  return [[...xs, Math.max(spec.end, 1) / 1000], ...columns];
}

function options(spec: Chart, width: number, ready: (plot: uPlot) => void,
  hover: (bucket: number | null) => void): uPlot.Options {
  const {grid, text} = theme();
  const range = spec.end / 1000;
  const font = '11px system-ui, sans-serif';
  const axis = {stroke: text, font, ticks: {show: false},
    grid: {stroke: grid, width: 1}};
  const gap = spec.axes ? 66 : 0;

  return {
    width, height: spec.height,
    padding: [spec.axes ? 8 : 2, 16, 0, spec.axes ? 0 : 16],
    legend: {show: false},
    scales: {
      x: {time: false, range: [0, Math.max(range, 0.02)]},
      y: {range: (_plot, _min, max) => [0, max > 0 ? max * 1.05 : 1]},
    },
    axes: [
      {...axis, show: true, size: 22, gap: 4, space: 70,
        grid: {...axis.grid, show: spec.axes},
        values: (_plot, splits) => splits.map(v => clock(v, range))},
      {...axis, show: spec.axes, size: gap, space: 34,
        values: (_plot, splits) => splits.map(v => tick(v, spec.unit))},
    ],
    cursor: {
      drag: {x: false, y: false, setScale: false},
      y: false,
      points: {show: false},
      sync: {key: SYNC, setSeries: false},
    },
    select: {show: true, left: 0, top: 0, width: 0, height: 0},
    series: [{}, ...spec.lines.map(line => ({
      label: line.label,
      stroke: line.colour(),
      width: line.fill ? 0.5 : 1.25,
      fill: line.fill?.(),
      ...(line.dash ? {dash: line.dash} : {}),
      points: {show: false},
      paths: uPlot.paths.stepped!({align: 1}),
    }))],
    hooks: {
      ready: [ready],
      setCursor: [plot => {
        const {left, idx} = plot.cursor;
        if (left === undefined || left < 0 || idx == null)
          hover(null);
        else
          hover(Math.floor((plot.posToVal(left, 'x') * 1000 - spec.start) /
            2 ** spec.shift));
      }],
    },
  };
}
