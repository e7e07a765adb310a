// SPDX-License-Identifier: LGPL-2.1-or-later
// The costs of a row, a node or anything: of each kind now and in the base
// (0 without one), and what is shown of them.
import {amount, amountPercent, type Unit} from './fmt';
import {COSTS, type Cost} from './model';

// costs[2 × i] is now, costs[2 × i + 1] the base, of COSTS[i].
export type Costs = number[];

const index = Object.fromEntries(COSTS.map((cost, i) => [cost, 2 * i])) as
  Record<Cost, number>;

export const UNIT: Record<Cost, Unit> = {peak: 'bytes', leaked: 'bytes',
  calls: 'count', temporary: 'count', total: 'bytes',
  others: 'count'};

export function noCosts(): Costs {
  return new Array<number>(2 * COSTS.length).fill(0);
}

// Whether all that is in `part` of a cost is all that is in `costs`.
export function isAll(costs: Costs, part: Costs, cost: Cost): boolean {
  return now(costs, cost) === now(part, cost) &&
    base(costs, cost) === base(part, cost);
}

export function now(costs: Costs, cost: Cost): number {
  return costs[index[cost]]!;
}

export function base(costs: Costs, cost: Cost): number {
  return costs[index[cost] + 1]!;
}

// What is shown: without a base it is what there is now.
export function change(costs: Costs, cost: Cost): number {
  return now(costs, cost) - base(costs, cost);
}

export function isAny(costs: Costs, cost: Cost): boolean {
  return now(costs, cost) !== 0 || base(costs, cost) !== 0;
}

// The largest change first, more before less.
export function compare(a: Costs, b: Costs, cost: Cost): number {
  const [x, y] = [change(a, cost), change(b, cost)];
  return Math.abs(y) - Math.abs(x) || y - x;
}

export function costText(costs: Costs, cost: Cost, sign: boolean): string {
  return amount(change(costs, cost), UNIT[cost], sign);
}

export function percentText(costs: Costs, cost: Cost, whole: number,
  sign: boolean): string {
  return amountPercent(change(costs, cost), whole, sign);
}

// The words for the costs; in a window, leaked is what is alive at its end.
export function title(cost: Cost, windowed: boolean): string {
  return cost === 'leaked' && windowed ? 'alive'
    : cost === 'others' ? 'by others' : cost;
}

export const MEANING: Record<Cost, string> = {
  peak: 'bytes held when most of the memory was in use',
  leaked: 'bytes never freed',
  calls: 'blocks allocated',
  temporary: 'blocks freed by the next event of their thread',
  total: 'bytes allocated over the whole time',
  others: 'blocks freed by another thread than the one that allocated them',
};
