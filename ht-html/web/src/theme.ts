// SPDX-License-Identifier: LGPL-2.1-or-later
// Light or dark: as the system says, until the reader does. What is drawn on
// canvases has its colours here, the rest in the style. The colours of series
// are Paul Tol's, told apart by readers of any colour vision.
import {SYSTEM, type Model} from './model';

type Name = 'light' | 'dark';

export interface Theme {
  name: Name;
  series: string[];         // of functions; the last is for the others
  line: string;
  second: string;
  grid: string;
  text: string;
  flame: {
    ground: string;
    font: string;
    text: string;
    faintText: string;
    faint: string;
    rest: string;
    found: string;
    outline: string;
    ofFrame(model: Model, frame: number): string;
    // From -1, all gone, to 1, all new.
    ofChange(share: number): string;
  };
}

const FONT = '11.5px ui-monospace, "SF Mono", Menlo, Consolas, ' +
  '"DejaVu Sans Mono", monospace';

// Hues of modules: the program's own first.
const HUES = [38, 200, 110, 320, 265, 70, 165, 350];

const colours = new Map<number, string>();

// A module has a hue, a function a tint of it. What is the system's is grey.
function frameColour(model: Model, frame: number, dark: boolean): string {
  const key = 2 * frame + Number(dark);
  let colour = colours.get(key);
  if (!colour) {
    colour = makeColour(model, frame, dark);
    colours.set(key, colour);
  }
  return colour;
}

function makeColour(model: Model, frame: number, dark: boolean): string {
  const scatter = Math.imul(model.frame.symbol[frame]!, 0x9e3779b1) >>> 16;
  const shade = (scatter >> 8) / 255;
  const turn = (scatter & 255) / 255 * 28 - 14;
  const system = model.has(frame, SYSTEM);
  const hue = HUES[moduleRank(model, model.frame.module[frame]!) %
    HUES.length]!;
  const saturation = system ? 9 : dark ? 36 : 72;
  const light = dark ? 31 + shade * 7 : system ? 84 + shade * 5
    : 75 + shade * 8;
  return `hsl(${(system ? 215 : hue + turn).toFixed(0)} ${saturation}% ${
    light.toFixed(1)}%)`;
}

const ranks = new WeakMap<Model, Map<number, number>>();

function moduleRank(model: Model, module: number): number {
  let order = ranks.get(model);
  if (!order) {
    order = new Map();
    ranks.set(model, order);
    // By how much of the tree is theirs; the system's have no hue.
    const counts = new Map<number, number>();
    for (const f of model.shape(false).frame)
      if (!model.has(f, SYSTEM))
        counts.set(model.frame.module[f]!,
          (counts.get(model.frame.module[f]!) ?? 0) + 1);
    for (const [m] of [...counts].sort((a, b) => b[1] - a[1]))
      order.set(m, order.size);
  }
  return order.get(module) ?? 0;
}

// Less is blue, more is orange; the more of it, the stronger.
function changeColour(share: number, dark: boolean): string {
  const strength = Math.min(1, Math.abs(share)) ** 0.6;
  const hue = share < 0 ? 212 : 26;
  const light = dark ? 26 + strength * 14 : 92 - strength * 30;
  return `hsl(${hue} ${(strength * (dark ? 60 : 85)).toFixed(0)}% ${
    light.toFixed(1)}%)`;
}

const THEMES: Record<Name, Theme> = {
  light: {
    name: 'light',
    series: ['#4477aa', '#ee8866', '#44bb99', '#aa4499', '#ddcc77', '#77aadd',
      '#bb5566', '#999933', '#c3c7cc'],
    line: '#2b5f94', second: '#c8651b', grid: '#e6e8eb', text: '#5b6470',
    flame: {ground: '#ffffff', font: FONT, text: '#1c2128',
      faintText: '#8a929c', faint: '#eceef1', rest: '#dfe2e6',
      found: '#f2c14e', outline: '#1c2128',
      ofFrame: (model, frame) => frameColour(model, frame, false),
      ofChange: share => changeColour(share, false)},
  },
  dark: {
    name: 'dark',
    series: ['#5b8fc7', '#e88a68', '#45b395', '#b865aa', '#cdbd6d', '#83b4e3',
      '#c76877', '#a5a544', '#565d66'],
    line: '#79aee0', second: '#e39a5b', grid: '#2a2f36', text: '#98a1ac',
    flame: {ground: '#16191d', font: FONT, text: '#e8eaed',
      faintText: '#7b848f', faint: '#23272d', rest: '#2e343b',
      found: '#a87a13', outline: '#f1f3f5',
      ofFrame: (model, frame) => frameColour(model, frame, true),
      ofChange: share => changeColour(share, true)},
  },
};

const dark = matchMedia('(prefers-color-scheme: dark)');
const listeners: (() => void)[] = [];
let chosen: Name | null = null;
let printing = false;

export function theme(): Theme {
  return THEMES[printing ? 'light' : chosen ?? (dark.matches ? 'dark'
    : 'light')];
}

export function onTheme(listener: () => void): void {
  listeners.push(listener);
}

function apply(): void {
  document.documentElement.dataset['theme'] = theme().name;
  for (const listener of listeners)
    listener();
}

export function startTheme(): void {
  try {
    const kept = localStorage.getItem('ht-theme');
    chosen = kept === 'light' || kept === 'dark' ? kept : null;
  } catch {
    // No storage here: then it is not kept.
  }
  dark.addEventListener('change', apply);
  // Paper is light.
  const print = (on: boolean) => {
    printing = on;
    apply();
  };
  addEventListener('beforeprint', () => print(true));
  addEventListener('afterprint', () => print(false));
  apply();
}

export function switchTheme(): void {
  const next: Name = theme().name === 'dark' ? 'light' : 'dark';
  // What the system says needs no choice.
  chosen = next === (dark.matches ? 'dark' : 'light') ? null : next;
  try {
    if (chosen)
      localStorage.setItem('ht-theme', chosen);
    else
      localStorage.removeItem('ht-theme');
  } catch {
    // As above.
  }
  apply();
}
