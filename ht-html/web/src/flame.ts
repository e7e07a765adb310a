// SPDX-License-Identifier: LGPL-2.1-or-later
// A flame graph on a canvas. Only what is at least about a pixel wide is laid
// out and drawn, so the number of stacks does not matter.
import {base, change, now} from './costs';
import {characterWidth, eachFrame, h} from './dom';
import {Name, safe} from './fmt';
import type {Cost} from './model';
import type {Width} from './state';
import {theme, type Theme} from './theme';
import type {Node, Tree} from './tree';

const ROW = 19;       // px, with the gap of one
const LEAST = 1;      // px: narrower frames are drawn as one
const GLIDE = 180;    // ms that a zoom takes

interface Box {
  node: Node;
  x0: number;         // of the whole width
  x1: number;
  depth: number;
  boxes: Box[] | null;
}

export interface FlameLook {
  tree: Tree;
  cost: Cost;
  width: Width;
  comparing: boolean;
  marks: Uint8Array | null;   // frames that are found
}

export interface FlameHooks {
  zoom(node: Node | null): void;
  hover(node: Node | null, x: number, y: number): void;
  cursor(node: Node): void;   // moved there by keys
}

export class Flame {
  readonly element: HTMLElement;
  private readonly canvas = h('canvas') as HTMLCanvasElement;
  private readonly spacer = h('div.spacer');
  private look!: FlameLook;
  private top!: Box;
  private zoomed: Box | null = null;
  private cursor: Box | null = null;
  private hovered: Box | null = null;
  // What part of the whole width is seen, and where it glides to.
  private from = 0;
  private to = 1;
  private glide: {from: number; to: number; start: number} | null = null;
  private rows: Box[][] = [];     // what was drawn
  private scrolled = 0;
  private flame = theme().flame;
  private readonly sums = new Map<Node, number>();
  private readonly labels = new Map<number, Name>();
  private readonly later = eachFrame(() => this.draw());

  constructor(private readonly hooks: FlameHooks) {
    this.canvas.setAttribute('aria-hidden', 'true');
    this.element = h('div.flame', {tabindex: 0, role: 'application',
      'aria-label': 'flame graph: arrow keys move, Enter zooms, Escape zooms ' +
        'out',
      onscroll: () => this.later(),
      onclick: (event: MouseEvent) => this.zoomTo(this.hit(event)),
      onpointermove: (event: PointerEvent) => this.hover(event),
      onpointerleave: () => this.leave(),
      onkeydown: (event: KeyboardEvent) => this.key(event),
    }, this.canvas, this.spacer);
    new ResizeObserver(() => this.draw()).observe(this.element);
  }

  show(look: FlameLook, at: string): void {
    const fresh = look.tree !== this.look?.tree || look.cost !== this.look.cost
      || look.width !== this.look.width;

    this.look = look;
    if (fresh) {
      this.sums.clear();
      this.top = {node: look.tree.root, x0: 0, x1: 1, depth: 0, boxes: null};
      this.cursor = this.hovered = null;
    }
    const node = at ? look.tree.find(at) : null;
    const box = node ? this.boxOf(node) : null;
    if (!fresh && box !== this.zoomed)
      this.start(box);
    else if (fresh)
      [this.from, this.to] = box ? [box.x0, box.x1] : [0, 1];
    this.zoomed = box;
    this.later();
  }

  // In the colours of now.
  redraw(): void {
    this.draw();
  }

  // --- layout ---------------------------------------------------------------

  // How wide a node is. Changes do not add up where they cancel each other
  // out, so there it is what changed, up or down, stack by stack.
  private sum(node: Node): number {
    const {cost, width, comparing} = this.look;

    if (!comparing || width === 'now')
      return now(node.costs, cost);
    if (width === 'base')
      return base(node.costs, cost);
    let sum = this.sums.get(node);
    if (sum === undefined) {
      sum = this.look.tree.changed(node, cost);
      this.sums.set(node, sum);
    }
    return sum;
  }

  private boxes(box: Box): Box[] {
    if (!box.boxes) {
      const nodes = this.look.tree.children(box.node)
        .map(node => ({node, sum: this.sum(node)}))
        .filter(({sum}) => sum > 0)
        .sort((a, b) => b.sum - a.sum || a.node.key - b.node.key);
      const whole = box.node.parent ? this.sum(box.node)
        : nodes.reduce((sum, n) => sum + n.sum, 0);
      const scale = whole > 0 ? (box.x1 - box.x0) / whole : 0;
      let x = box.x0;
      box.boxes = nodes.map(({node, sum}) => {
        const x0 = x;
        x = Math.min(box.x1, x + sum * scale);
        return {node, x0, x1: x, depth: box.depth + 1, boxes: null};
      });
    }
    return box.boxes;
  }

  private boxOf(node: Node): Box | null {
    if (!node.parent)
      return this.top;
    const parent = this.boxOf(node.parent);
    return parent && (this.boxes(parent).find(b => b.node === node) ?? null);
  }

  // --- drawing --------------------------------------------------------------

  private start(box: Box | null): void {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
      [this.from, this.to] = box ? [box.x0, box.x1] : [0, 1];
      return;
    }
    this.glide = {from: this.from, to: this.to, start: performance.now()};
    // Out of sight below, there would be nothing to see.
    if (box && (box.depth - 1) * ROW < this.element.scrollTop)
      this.element.scrollTop = Math.max(0, (box.depth - 2) * ROW);
  }

  private step(): void {
    const [from, to] = this.zoomed ? [this.zoomed.x0, this.zoomed.x1] : [0, 1];
    const {glide} = this;

    if (!glide)
      return;
    const t = Math.min(1, (performance.now() - glide.start) / GLIDE);
    const eased = 1 - (1 - t) ** 3;
    this.from = glide.from + (from - glide.from) * eased;
    this.to = glide.to + (to - glide.to) * eased;
    if (t < 1)
      this.later();
    else
      this.glide = null;
  }

  private draw(): void {
    const {clientWidth: width, clientHeight: height, scrollTop} = this.element;
    const ratio = devicePixelRatio || 1;

    if (!this.look || width === 0)
      return;
    this.scrolled = scrollTop;
    this.step();
    if (this.canvas.width !== Math.round(width * ratio) ||
        this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    const g = this.canvas.getContext('2d', {alpha: false})!;
    g.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.flame = theme().flame;
    g.fillStyle = this.flame.ground;
    g.fillRect(0, 0, width, height);
    g.font = this.flame.font;
    g.textBaseline = 'middle';
    this.rows = [];
    const depth = this.drawBoxes(g, width, height);
    this.spacer.style.height = `${depth * ROW + 1}px`;
    this.outline(g, this.cursor ?? this.hovered, width);
    this.outline(g, this.zoomed, width);
  }

  // Returns how many rows there are.
  private drawBoxes(g: CanvasRenderingContext2D, width: number,
    height: number): number {
    const scale = width / (this.to - this.from);
    const stack = [this.top];
    let depth = 0;

    for (let box = stack.pop(); box; box = stack.pop()) {
      const boxes = this.boxes(box);
      const seen: Box[] = [];
      for (const child of boxes) {
        const x0 = (child.x0 - this.from) * scale;
        const x1 = (child.x1 - this.from) * scale;
        if (x0 > width)
          break;
        if (x1 - x0 < LEAST) {
          this.drawRest(g, child, x0, (boxes.at(-1)!.x1 - this.from) * scale);
          depth = Math.max(depth, child.depth);
          break; // the others are narrower
        }
        if (x1 < 0)
          continue;
        this.drawBox(g, child, Math.max(0, x0), Math.min(width, x1), height);
        seen.push(child);
        depth = Math.max(depth, child.depth);
      }
      // The leftmost first, so that each row is drawn from left to right.
      for (const child of seen.reverse())
        stack.push(child);
    }
    return depth;
  }

  private y(depth: number): number {
    return (depth - 1) * ROW - this.scrolled;
  }

  private drawBox(g: CanvasRenderingContext2D, box: Box, x0: number,
    x1: number, height: number): void {
    const {flame} = this;
    const y = this.y(box.depth);
    const gap = x1 - x0 > 3 ? 1 : 0;

    (this.rows[box.depth] ??= []).push(box);
    if (y < -ROW || y > height)
      return;
    g.fillStyle = this.colour(box, flame);
    g.fillRect(x0, y, x1 - x0 - gap, ROW - 1);
    const room = Math.floor((x1 - x0 - 8) / characterWidth());
    if (room < 4)
      return;
    g.fillStyle = this.isFaint(box) ? flame.faintText : flame.text;
    g.fillText(this.label(box.node.frame).fit(room), x0 + 4,
      y + (ROW - 1) / 2 + 0.5);
  }

  private drawRest(g: CanvasRenderingContext2D, box: Box, x0: number,
    x1: number): void {
    g.fillStyle = this.flame.rest;
    g.fillRect(x0, this.y(box.depth), Math.max(0.5, x1 - x0), ROW - 1);
  }

  private label(frame: number): Name {
    const {model} = this.look.tree.selection;
    let label = this.labels.get(frame);
    if (!label) {
      label = new Name(safe(model.functionName(frame)));
      this.labels.set(frame, label);
    }
    return label;
  }

  private isFaint(box: Box): boolean {
    const {marks} = this.look;
    if (marks)
      return !marks[box.node.frame];
    return this.zoomed !== null && box.depth < this.zoomed.depth;
  }

  private colour(box: Box, flame: Theme['flame']): string {
    const {look} = this;

    if (look.marks)
      return look.marks[box.node.frame] ? flame.found : flame.faint;
    if (this.isFaint(box))
      return flame.faint;
    if (!look.comparing)
      return flame.ofFrame(look.tree.selection.model, box.node.frame);
    const whole = now(box.node.costs, look.cost) +
      base(box.node.costs, look.cost);
    return flame.ofChange(whole ? change(box.node.costs, look.cost) / whole
      : 0);
  }

  private outline(g: CanvasRenderingContext2D, box: Box | null,
    width: number): void {
    if (!box || box.depth === 0)
      return;
    const scale = width / (this.to - this.from);
    const x0 = Math.max(0, (box.x0 - this.from) * scale);
    const x1 = Math.min(width, (box.x1 - this.from) * scale);
    g.strokeStyle = this.flame.outline;
    g.lineWidth = 1.5;
    g.strokeRect(x0 + 0.75, this.y(box.depth) + 0.75,
      Math.max(1, x1 - x0 - 2.5), ROW - 2.5);
  }

  // --- pointer and keys -----------------------------------------------------

  private hit(event: MouseEvent): Box | null {
    const at = this.element.getBoundingClientRect();
    const x = this.from + (event.clientX - at.left) / this.element.clientWidth *
      (this.to - this.from);
    const depth = 1 + Math.floor(
      (event.clientY - at.top + this.element.scrollTop) / ROW);
    return this.rows[depth]?.find(box => box.x0 <= x && x < box.x1) ?? null;
  }

  private hover(event: PointerEvent): void {
    const box = this.hit(event);
    if (box !== this.hovered) {
      this.hovered = box;
      this.cursor = null;
      this.later();
    }
    this.element.style.cursor = box ? 'pointer' : '';
    this.hooks.hover(box?.node ?? null, event.clientX, event.clientY);
  }

  private leave(): void {
    this.hovered = null;
    this.later();
    this.hooks.hover(null, 0, 0);
  }

  private zoomTo(box: Box | null): void {
    if (box)
      this.hooks.zoom(box === this.zoomed ? box.node.parent!.parent
        ? box.node.parent : null : box.node);
  }

  private key(event: KeyboardEvent): void {
    const at = this.cursor ?? this.zoomed ?? this.boxes(this.top)[0];
    if (!at)
      return;
    const row = this.rows[at.depth] ?? [];
    const i = row.indexOf(at);
    const parent = at.node.parent?.parent ? this.boxOf(at.node.parent) : null;
    let next: Box | null | undefined;

    switch (event.key) {
    case 'ArrowUp': next = parent; break;
    case 'ArrowDown': next = this.boxes(at)[0]; break;
    case 'ArrowLeft': next = row[i - 1]; break;
    case 'ArrowRight': next = row[i + 1]; break;
    case 'Enter': case ' ': this.zoomTo(at); next = at; break;
    case 'Escape':
      if (!this.zoomed)
        return;
      this.hooks.zoom(null);
      break;
    default: return;
    }
    event.preventDefault();
    event.stopPropagation();
    if (next) {
      this.cursor = next;
      this.hooks.cursor(next.node);
      const y = (next.depth - 1) * ROW;
      const {scrollTop, clientHeight} = this.element;
      if (y < scrollTop || y + ROW > scrollTop + clientHeight)
        this.element.scrollTop = y - clientHeight / 2;
    }
    this.later();
  }
}
