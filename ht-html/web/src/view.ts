// SPDX-License-Identifier: LGPL-2.1-or-later
// What every view is given, and what it is.
import {MEANING, title} from './costs';
import {Choice} from './dom';
import {type Cost, type Model} from './model';
import {Selection} from './selection';
import type {State, Store} from './state';

export class Context {
  private last: Selection | null = null;
  private key = '';

  constructor(readonly model: Model, readonly store: Store) {}

  get state(): State {
    return this.store.state;
  }

  // The same as long as nothing else is selected.
  get selection(): Selection {
    const {filters, own} = this.state;
    const window = this.window;
    const key = JSON.stringify([filters, own, window]);

    if (!this.last || key !== this.key) {
      this.last = new Selection(this.model, window, filters, own);
      this.key = key;
    }
    return this.last;
  }

  // A window that a link asks for may be none of this report.
  get window(): State['window'] {
    const {window} = this.state;
    const {time} = this.model;
    return window && time && window.from < time.n
      ? {from: window.from, to: Math.min(window.to, time.n)} : null;
  }
}

// Which cost a view is by; in a window, leaked is what is alive at its end.
export class CostChoice {
  readonly element: HTMLElement;
  private readonly choice: Choice<Cost>;

  constructor(private readonly context: Context) {
    this.choice = new Choice('cost', context.model.costs.map(cost =>
      [cost, title(cost, false), MEANING[cost]]),
    cost => context.store.set({cost, sort: ''}));
    this.element = this.choice.element;
  }

  show(): void {
    this.choice.show(this.context.state.cost);
    this.choice.rename('leaked', title('leaked', this.context.window !== null));
  }
}

export interface View {
  readonly element: HTMLElement;
  show(): void;
}
