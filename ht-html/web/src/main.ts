// SPDX-License-Identifier: LGPL-2.1-or-later
import 'uplot/dist/uPlot.min.css';
import './style.css';
import {App} from './app';
import {unpack} from './data';
import {h} from './dom';
import {Model} from './model';
import {Store} from './state';
import {startTheme} from './theme';

async function start(): Promise<void> {
  const root = document.getElementById('app')!;
  const packed = document.getElementById('ht-data')!;

  startTheme();
  try {
    const data = await unpack(packed.textContent!);
    packed.remove();
    new App(root, new Model(data), new Store());
    document.documentElement.dataset['ready'] = '';
  } catch (error) {
    root.replaceChildren(h('p.loading', {role: 'alert'},
      `This report cannot be shown: ${error instanceof Error
        ? error.message : String(error)}.`));
    throw error;
  }
}

void start();
