// SPDX-License-Identifier: LGPL-2.1-or-later
// Elements. Text is only ever text: nothing here reads markup.

type Child = Node | string | null | false;
type Props = Record<string, string | number | boolean | null | undefined |
  ((event: never) => void)>;

// h('a.link', {href, onclick}, 'text', …): classes after dots; a function
// listens, `--x` is a property of the style, all else is an attribute.
export function h(spec: string, props: Props = {},
  ...children: Child[]): HTMLElement {
  const [tag, ...classes] = spec.split('.');
  const element = document.createElement(tag!);

  if (classes.length)
    element.className = classes.join(' ');
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false)
      continue;
    if (typeof value === 'function')
      element.addEventListener(name.slice(2), value as EventListener);
    else if (name.startsWith('--'))
      element.style.setProperty(name, String(value));
    else
      element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children)
    if (child !== null && child !== false)
      element.append(child);
  return element;
}

// A row of buttons of which one is on.
export class Choice<T extends string> {
  readonly element: HTMLElement;
  private readonly buttons = new Map<T, HTMLElement>();

  constructor(label: string, options: [T, string, hint?: string][],
    choose: (value: T) => void) {
    this.element = h('div.choice', {role: 'radiogroup', 'aria-label': label});
    for (const [value, text, hint] of options) {
      const button = h('button', {type: 'button', role: 'radio',
        title: hint, 'data-value': value, onclick: () => choose(value)}, text);
      this.buttons.set(value, button);
      this.element.append(button);
    }
    this.element.addEventListener('keydown', event => {
      const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      const values = [...this.buttons.keys()]
        .filter(v => !this.buttons.get(v)!.hidden);
      const i = values.findIndex(v =>
        this.buttons.get(v) === document.activeElement);
      if (!step || i < 0)
        return;
      const next = values[(i + step + values.length) % values.length]!;
      choose(next);
      this.buttons.get(next)!.focus();
      event.preventDefault();
    });
  }

  show(value: T): void {
    for (const [v, button] of this.buttons) {
      button.setAttribute('aria-checked', String(v === value));
      button.tabIndex = v === value ? 0 : -1;
    }
  }

  rename(value: T, text: string): void {
    this.buttons.get(value)!.textContent = text;
  }
}

export function toggle(text: string, hint: string,
  change: (on: boolean) => void): HTMLInputElement & {label: HTMLElement} {
  const input = h('input', {type: 'checkbox',
    onchange: () => change(input.checked)}) as HTMLInputElement &
    {label: HTMLElement};
  input.label = h('label.toggle', {title: hint}, input, text);
  return input;
}

// Calls at most once a frame.
export function eachFrame(draw: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting)
      return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

// The width of one character of the page's fixed-width font.
let character = 0;
export function characterWidth(): number {
  if (!character) {
    const probe = h('span.code.probe', {}, '0'.repeat(100));
    document.body.append(probe);
    character = probe.getBoundingClientRect().width / 100 || 7;
    probe.remove();
  }
  return character;
}
