// SPDX-License-Identifier: LGPL-2.1-or-later
// What ht-html's page shows in a real Chromium, beside what ht-top prints of
// the same trace. Prints a line for each test: `ok NAME` or `not ok NAME`,
// and `# ` before what is wrong.
//
//     node browser.mjs CASES.json
//
// Each case is {name, test, page, traces: [arguments of ht-top]}; `test` is one
// of the functions below. BIN is where the commands are, WEB the
// folder with playwright-core in node_modules.
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {gunzipSync} from 'node:zlib';

const {BIN, WEB} = process.env;
const {chromium} = await import(`${WEB}/node_modules/playwright-core/index.mjs`);
const COSTS = ['peak', 'leaked', 'calls', 'temporary', 'total', 'others'];

export const ok = (is, name, ...why) => {
  console.log(`${is ? 'ok' : 'not ok'} ${name}`);
  if (!is)
    for (const line of why)
      console.log(`# ${String(line).slice(0, 1000)}`);
};
const same = (got, want, name) => {
  const [a, b] = [got, want].map(v => JSON.stringify(v, null, 1).split('\n'));
  const at = a.findIndex((line, i) => line !== b[i]);
  ok(at < 0 && a.length === b.length, name,
    ` got: ${a.slice(Math.max(0, at - 8), at + 3).join(' ')}`,
    `want: ${b.slice(Math.max(0, at - 8), at + 3).join(' ')}`);
};

// --- ht-top -----------------------------------------------------------------

const top = (...args) => JSON.parse(execFileSync(`${BIN}/ht-top`,
  ['-q', '--format', 'json', ...args], {maxBuffer: 2 ** 28}));

const base = path => path.slice(path.lastIndexOf('/') + 1);
const nameOf = p => p.function?.slice(0, 1000) ?? (p.offset !== undefined
  ? `${base(p.module)}+0x${p.offset.toString(16)}` : p.cut
    ? '(cut: no unwind information)' : p.module
      ? `${base(p.module)} (no symbol)` : p.address
        ? `0x${p.address.toString(16)}` : '(unknown)');
const costOf = (row, cost) => row[cost === 'others' ? 'freed_by_others' : cost];
const costsOf = row => COSTS.map(cost => costOf(row, cost));

// A tree of ht-top's, as rows of the page: the level, the name, the costs.
const treeRows = tree => tree.nodes.map(node =>
  [node.depth + 1, nameOf(node), ...costsOf(node)]);

// How the data of a page divides time: ht-html's README.md describes it.
const timeOf = file => {
  const packed = /id="ht-data">([^<]*)</.exec(readFileSync(file, 'utf8'))[1];
  const data = gunzipSync(Buffer.from(packed, 'base64'));
  const start = data.indexOf(10) + 1;
  const length = Number(data.subarray(0, start).toString().split(' ')[2]);
  return JSON.parse(data.subarray(start, start + length)).now.time;
};

// --- the page ---------------------------------------------------------------

class Page {
  constructor(page, file) {
    this.page = page;
    this.file = file;
  }

  // As a link in a new tab would.
  async open(fragment) {
    await this.page.goto('about:blank');
    await this.page.goto(`file://${this.file}#${fragment}`);
    await this.page.waitForSelector('html[data-ready]');
    await this.settle();
  }

  // The page has drawn what it was told last.
  async settle() {
    await this.page.evaluate(() => new Promise(done =>
      requestAnimationFrame(() => requestAnimationFrame(done))));
  }

  // As a link in the page would.
  async go(fragment) {
    await this.page.evaluate(to => { location.hash = to; }, fragment);
    await this.settle();
  }

  // The rows of a table: level, name, costs; with `self`, that in the end. A
  // column that is not there says that there is nothing of it.
  async rows(table = '.table', self = false) {
    return this.page.evaluate(([selector, costs, own]) => {
      const element = [...document.querySelectorAll(selector)]
        .find(e => e.offsetParent !== null);
      return [...element.querySelectorAll('.row')]
        .sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
        .map(row => [Number(row.ariaLevel) || 1,
          row.querySelector('.code').title,
          ...[...costs, ...own ? ['self'] : []].map(cost =>
            Number(row.querySelector(`.${cost}`)?.dataset.v ?? 0))]);
    }, [table, COSTS, self]);
  }

  // Opens every node of a tree.
  async openAll(table = '.table') {
    const element = this.page.locator(`${table}:visible`);
    await element.focus();
    await this.page.keyboard.press('End');
    for (let roots = await this.roots(element); roots > 0; roots--) {
      // What is above stays closed until its turn.
      while (!await this.isRoot(element))
        await this.page.keyboard.press('ArrowUp');
      await this.page.keyboard.press('*');
      await this.page.keyboard.press('ArrowUp');
    }
    await this.settle();
  }

  roots(element) {
    return element.evaluate(e =>
      e.querySelectorAll('.row[aria-level="1"]').length);
  }

  isRoot(element) {
    return element.evaluate(e => e.querySelector('.row[aria-selected="true"]')
      .ariaLevel === '1');
  }

  text(selector) {
    return this.page.evaluate(s => document.querySelector(s)?.textContent ??
      null, selector);
  }

  texts(selector) {
    return this.page.evaluate(s => [...document.querySelectorAll(s)]
      .filter(e => e.offsetParent !== null).map(e => e.textContent), selector);
  }
}

// --- what is compared -------------------------------------------------------

// Every view of one selection. `query` is that of the page's address, `args`
// what says the same to ht-top.
async function views(page, name, query, args, whole) {
  const q = query ? `&${query}` : '';
  const flat = top('--by', 'line', '--sort', COSTS.join(), '-s', '0', ...args);

  await page.go(`summary?${query}`);
  const lists = await page.page.evaluate(() =>
    [...document.querySelectorAll('.list')].map(list => [list.dataset.list,
      ...[...list.querySelectorAll('li')].map(li => [
        li.querySelector('.function').title,
        Number(li.querySelector('.amount').dataset.v)])]));
  same(lists, ['peak', 'leaked', 'calls', 'temporary'].map(cost => [cost,
    ...flat.sections.find(s => s.sort === cost).rows
      .filter(row => row[cost] !== 0).slice(0, 8)
      .map(row => [nameOf(row), row[cost]])]), `${name}: the top lists`);

  for (const by of ['function', 'line', 'file', 'module']) {
    await page.go(`tree?by=${by}&cost=calls${q}`);
    const want = top('--by', by, '--sort', 'calls', '-s', '0', ...args)
      .sections[0].rows;
    const got = await page.rows();
    const n = Math.min(got.length, want.length, 200);
    await page.page.keyboard.press('Home');
    same(got.filter(row => row[0] === 1).slice(0, n).map(r => r.slice(2)),
      want.slice(0, n).map(costsOf), `${name}: places by ${by}`);
  }
  for (const [direction, option] of [['top-down', '--tree'],
    ['bottom-up', '--bottom-up']]) {
    await page.go(`tree?tree=${direction}&cost=total${q}`);
    if (whole)
      await page.openAll();
    const want = treeRows(top(option, '--sort', 'total', ...args).trees[0]);
    const got = await page.rows();
    if (whole)
      same(got, want.slice(0, got.length), `${name}: the tree ${direction}`);
    else
      same(got.filter(r => r[0] === 1), want.filter(r => r[0] === 1)
        .slice(0, got.filter(r => r[0] === 1).length),
      `${name}: the roots ${direction}`);
  }
  await groups(page, name, q, args);
  await histograms(page, name, query, args);
  return flat;
}

async function groups(page, name, q, args) {
  await page.go(`threads?cost=calls${q}`);
  for (const by of ['thread', 'module']) {
    const want = top('--by', by, '--sort', 'calls', '-s', '0', ...args)
      .sections[0].rows;
    same((await page.rows(`[data-by="${by}"] .table`)).map(r => r.slice(2)),
      want.map(costsOf), `${name}: costs by ${by}`);
  }
}

async function histograms(page, name, query, args) {
  const want = top('--sizes', '--lifetimes', ...args);
  const rows = kind => page.page.evaluate(k => [...document.querySelectorAll(
    `[data-histogram="${k}"] tbody tr`)].map(tr => [tr.dataset.bucket,
    ...[...tr.querySelectorAll('[data-v]')].map(td => Number(td.dataset.v))]),
  kind);
  const bucket = from => String(from === 0 ? 0 : Math.log2(from) + 1);
  const rest = (id, b) => b.calls || b.bytes ? [[id, b.calls, b.bytes]] : [];

  await page.go(`sizes?${query}`);
  same(await rows('sizes'), want.sizes.map(b =>
    [bucket(b.from), b.calls, b.bytes]), `${name}: sizes`);
  // What has not changed at all is shown where there was any.
  const lives = (await rows('lifetimes')).filter(r => r[1] || r[2]);
  same(lives, [...want.lifetimes
    .filter(b => b.calls || b.bytes)
    .map(b => [bucket(b.from), b.calls, b.bytes]),
  ...rest('101', want.lifetime_unknown), ...rest('100', want.not_freed)],
  `${name}: lifetimes`);
}

// The totals as the summary prints them, and as ht-top does.
async function totals(page, name, args) {
  const text = execFileSync(`${BIN}/ht-top`, ['-q', '--sort', 'calls', '-n',
    '1', ...args]).toString();
  const tiles = Object.fromEntries(await page.page.evaluate(() =>
    [...document.querySelectorAll('.tile')].map(t => [t.dataset.tile,
      [...t.children].slice(1).map(e => e.textContent)])));
  const has = want => ok(text.includes(want), `${name}: ht-top prints ${want}`,
    text.split('\n').slice(0, 4).join(' | '));
  has(`${tiles.allocations[0]} allocation`);
  has(`peak ${tiles.peak[0]} ${tiles.peak[1]}`);
  has(`${tiles.temporary[1].split(' ')[0]} % temporary`);
  has(`${tiles.allocations[1].replace(' in all', '')} asked for in all`);
  const leaked = tiles.leaked ?? tiles.alive;
  has(leaked[0] === '0 B' ? 'nothing' : `${leaked[0]} ${leaked[1]}`);
}

// --- flame graph ------------------------------------------------------------

async function flame(page, name, args) {
  const want = top('--tree', '--sort', 'calls', ...args).trees[0].nodes;
  const roots = want.filter(n => n.depth === 0);
  const total = roots.reduce((sum, n) => sum + n.calls, 0);

  await page.open('flame?cost=calls');
  const box = await page.page.locator('.flame').boundingBox();
  const width = await page.page.evaluate(() =>
    document.querySelector('.flame').clientWidth);
  // Frames stand where their cost says: in the middle of each is its name.
  let x = 0;
  const seen = [];
  for (const root of roots) {
    const share = root.calls / total * width;
    if (share > 4) {
      await page.page.mouse.move(box.x + x + share / 2, box.y + 9);
      await page.settle();
      seen.push([await page.text('.tip .name'),
        await page.text('.tip [data-row="all"] td')]);
    }
    x += share;
  }
  const shown = n => n.toLocaleString('en-US');
  same(seen, roots.filter(n => n.calls / total * width > 4)
    .map(n => [nameOf(n), shown(n.calls)]), `${name}: frames are as wide as ` +
    'they cost');

  // Zoom by a click, back by Escape, forward and back in the history.
  await page.page.mouse.click(box.x + 20, box.y + 9 + 19);
  await page.settle();
  const zoomed = page.page.url();
  ok(/[?&]at=\d+/.test(zoomed), `${name}: a click zooms, the address says so`,
    zoomed);
  const child = want.find(n => n.parent === roots[0].id);
  const pinned = () => page.text('.details .name');
  ok(await pinned() === nameOf(child), `${name}: the frame is pinned`,
    await pinned());
  same(await page.page.evaluate(() => [...document.querySelectorAll(
    '.details [data-row="all"] td')].map(td => td.textContent)),
  COSTS.filter(cost => cost !== 'others').map(cost => cost === 'calls' || cost === 'temporary'
    ? shown(child[cost]) : bytes(child[cost])), `${name}: its costs`);
  await page.page.mouse.move(box.x + width - 30, box.y + 9 + 19);
  await page.settle();
  ok(await page.text('.tip .name') === nameOf(child),
    `${name}: it is as wide as the graph`);
  await page.open(zoomed.split('#')[1]);
  ok(await pinned() === nameOf(child), `${name}: a link to it leads there`);
  await page.page.keyboard.press('Escape');
  await page.settle();
  ok(!page.page.url().includes('at='), `${name}: Escape zooms out`);
  await page.page.goBack();
  await page.settle();
  ok(page.page.url() === zoomed && await pinned() === nameOf(child),
    `${name}: the back button zooms in again`);
  await page.page.goForward();
  await page.settle();
  ok(!page.page.url().includes('at='), `${name}: and forward out`);
  await page.page.locator('.flame').focus();
  for (const key of ['ArrowDown', 'ArrowUp', 'ArrowDown', 'Enter'])
    await page.page.keyboard.press(key);
  await page.settle();
  ok(page.page.url().includes('at=') && await pinned() === nameOf(child),
    `${name}: the keys lead to the same frame`, await pinned());
}

// Marking functions: what all stacks with one of them cost.
async function find(page, name, pattern, args) {
  const want = top('--filter', pattern, '--sort', 'calls', '--by', 'thread',
    '-s', '0', ...args).sections[0].rows.reduce((sum, r) => sum + r.calls, 0);
  for (const query of ['flame?cost=calls', 'flame?cost=calls&inverted=1']) {
    await page.open(query);
    await page.page.fill('.flameview input', pattern);
    await page.settle();
    ok((await page.text('.found')).startsWith(
      `${want.toLocaleString('en-US')}, `),
    `${name}: what is marked costs as much as ht-top --filter says`,
    await page.text('.found'), want);
  }
}

function bytes(n) {
  const units = ['B', 'kB', 'MB', 'GB'];
  let i = 0;
  while (n >= 999.5 && i < 3) {
    n /= 1000;
    i++;
  }
  return i === 0 ? `${n} B` : `${n.toFixed(n < 9.995 ? 2 : n < 99.95 ? 1 : 0)
  } ${units[i]}`;
}

// --- the cases --------------------------------------------------------------

const cases = {
  // A small program, all of it.
  async all(page, {name, traces}) {
    const flat = await views(page, name, '', traces, true);
    await page.open('summary');
    await totals(page, name, traces);
    const where = await page.text('[data-list="calls"] li .where');
    const row = flat.sections.find(s => s.sort === 'calls').rows[0];
    ok(where === (row.file ? `${base(row.file)}:${row.line}`
      : base(row.module)), `${name}: file and line`, where);
    await flame(page, name, traces);
    const inner = flat.sections.find(s => s.sort === 'calls').rows.at(-1);
    await find(page, name, inner.function.slice(0, 12), traces);

    // Callers and callees of each of some functions.
    for (const [direction, option] of [['callers', '--callers'],
      ['callees', '--callees']]) {
      for (const fn of ['branch', 'main']) {
        const pattern = `/^${fn}[(]?/`;
        const want = treeRows(top(option, pattern, '--sort', 'calls',
          ...traces).trees[0]);
        await page.open('tree?tree=callers&cost=calls');
        await page.page.locator(`[aria-label="functions"] [title^="${fn}"]`)
          .first().click();
        await page.settle();
        await page.openAll(`[aria-label="${direction}"]`);
        const got = await page.rows(`[aria-label="${direction}"]`);
        same(got, want.slice(0, got.length), `${name}: ${direction} of ${fn}`);
      }
    }

    // Sorting, by the heads of the columns.
    await page.open('tree?tree=bottom-up');
    await page.page.click('.table [data-sort="total"]');
    await page.settle();
    const down = (await page.rows()).filter(r => r[0] === 1).map(r => r[6]);
    ok(down.every((v, i) => i === 0 || v <= down[i - 1]),
      `${name}: sorted by a column`, down);
    await page.page.click('.table [data-sort="total"]');
    await page.settle();
    const up = (await page.rows()).filter(r => r[0] === 1).map(r => r[6]);
    same(up, down.toReversed(), `${name}: and the other way round`);
    await page.page.click('.table [data-sort="name"]');
    await page.settle();
    const names = (await page.rows()).filter(r => r[0] === 1).map(r => r[1]);
    same(names, names.toSorted(), `${name}: and by name`);

    // Wherever the table stands, its head does.
    await page.page.setViewportSize({width: 1280, height: 400});
    await page.page.locator('.table:visible').focus();
    await page.page.keyboard.press('End');
    await page.settle();
    const [head, table, last] = await page.page.evaluate(() =>
      ['.head', '', '.row[aria-selected="true"]'].map(s => [...document
        .querySelectorAll(`.table ${s}`.trim())]
        .find(e => e.offsetParent).getBoundingClientRect().toJSON()));
    ok(head.top - table.top <= 1 && last.bottom <= table.bottom + 1 &&
      last.top > head.bottom, `${name}: the end of a table, under its head`,
    JSON.stringify([head, table, last]));
    await page.page.setViewportSize({width: 1280, height: 2400});

    // Filters: typed, kept, in the address, taken away.
    for (const [query, more] of [['filter=file%3Dorchard', ['--filter',
      'file=orchard']], ['filter=%21function%3Dbranch', ['--exclude',
      'function=branch']], ['filter=size%3D64..127', ['--filter',
      'size=64..127']]])
      await groups(page, `${name}, ${more.join(' ')}`, `&${query}`,
        [...more, ...traces]);
    await page.open('tree?tree=top-down&cost=calls');
    await page.page.fill('.filters input', 'branch');
    await page.page.press('.filters input', 'Enter');
    await page.settle();
    same((await page.rows()).slice(0, 1), treeRows(top('--tree', '--sort',
      'calls', '--filter', 'branch', ...traces).trees[0]).slice(0, 1),
    `${name}: a filter that is typed`);
    ok(page.page.url().includes('filter=function%3Dbranch'),
      `${name}: is in the address`, page.page.url());
    await page.page.click('.chip button');
    await page.settle();
    same((await page.rows())[0].slice(2), costsOf(top('--tree', '--sort',
      'calls', ...traces).trees[0].nodes[0]), `${name}: and can be removed`);

    // Without the system's frames: the sums stay, the names go.
    await page.open('tree?tree=top-down&cost=calls&own=1');
    await page.openAll();
    const own = await page.rows('.table', true);
    const sum = rows => rows.filter(r => r[0] === 1)
      .reduce((n, r) => n + r[4], 0);
    ok(own.length > 2 && own.every(r => !r[1].startsWith('std::')),
      `${name}: system frames are hidden`, own.map(r => r[1]));
    ok(sum(own) === flat.totals.allocations,
      `${name}: their costs are their callers'`);
    ok(await page.page.evaluate(() =>
      document.querySelectorAll('.row abbr').length > 0),
    `${name}: inlined functions are marked`);
  },

  // A program that runs for a while: windows.
  async windows(page, {name, traces}) {
    await views(page, name, '', traces, false);
    const {shift, n} = timeOf(page.file);
    const width = 2 ** shift;
    for (const [a, b] of [[0, 1], [Math.floor(n / 3), n]]) {
      const args = ['--from', `${a * width}ms`, ...b === n ? []
        : ['--to', `${b * width}ms`], ...traces];
      const title = `${name}, buckets ${a} to ${b}`;
      await views(page, title, `window=${a}-${b}`, args, false);
      await page.open(`summary?window=${a}-${b}`);
      await totals(page, title, args);
    }
    await this.overTime(page, name, width, n, traces);
  },

  async overTime(page, name, width, n, traces) {
    await page.open('time');
    const over = page.page.locator('[data-panel="Live memory by function"] ' +
      '.u-over');
    const box = await over.boundingBox();
    const at = bucket => box.x + (bucket + 0.5) * width /
      top('--totals', ...traces).totals.runtime_ms * box.width;
    const b = Math.floor(n / 2);
    await page.page.mouse.move(at(b), box.y + 50);
    await page.settle();
    const live = top('--at', `${(b + 1) * width}ms`, '--by', 'function',
      '--sort', 'leaked', '-s', '0', ...traces).sections[0].rows;
    const values = Object.fromEntries(await page.page.evaluate(() =>
      [...document.querySelectorAll('[data-panel] li')].map(li =>
        [li.children[1].title || li.children[1].textContent,
          li.querySelector('.value').textContent])));
    ok(values.together === bytes(live.reduce((sum, r) => sum + r.leaked, 0)),
      `${name}: the live bytes under the pointer`, JSON.stringify(values));
    const known = live.filter(r => nameOf(r) in values).slice(0, 4);
    same(known.map(r => values[nameOf(r)]), known.map(r => bytes(r.leaked)),
      `${name}: by function`);
    const {totals: part} = top('--totals', '--from', `${b * width}ms`, '--to',
      `${(b + 1) * width}ms`, ...traces);
    ok(values.calls === part.allocations.toLocaleString('en-US'),
      `${name}: and the calls`, values.calls, part.allocations);

    // A quick machine's run may have few.
    const last = Math.min(5, n - 2);
    await page.page.mouse.move(at(1), box.y + 50);
    await page.page.mouse.down();
    await page.page.mouse.move(at(last), box.y + 60, {steps: 4});
    await page.page.mouse.up();
    await page.settle();
    ok(last > 1 && page.page.url().includes(`window=1-${last + 1}`),
      `${name}: a drag chooses whole buckets`, page.page.url());
    await page.page.mouse.click(at(0), box.y + 50);
    await page.settle();
    ok(page.page.url().includes('window=0-1'),
      `${name}: a click chooses one`, page.page.url());
    ok((await page.text('.strip .caption')).includes('whole run'),
      `${name}: and that can be undone`);
    await page.page.click('.strip .clear');
    await page.settle();
    ok(!page.page.url().includes('window'), `${name}: by a click`);
  },

  // All of it by place, thread and size.
  async flat(page, {name, traces}) {
    await views(page, name, '', traces, false);
  },

  // A page of the later part of a run: its buckets begin there.
  async later(page, {name, traces}) {
    const {shift, first, n} = timeOf(page.file);
    const trace = traces.at(-1);
    const [a, b] = [1, Math.max(2, n - 1)];

    await views(page, name, `window=${a}-${b}`, ['--from',
      `${(first + a) * 2 ** shift}ms`, '--to', `${(first + b) * 2 ** shift}ms`,
      trace], false);
  },

  async compared(page, {name, traces}) {
    await views(page, name, '', traces, false);
    const want = top('--totals', ...traces);
    await page.open('summary');
    same(await page.page.evaluate(() => [...document.querySelectorAll(
      '.comparison [data-v]')].map(td => Number(td.dataset.v))),
    ['allocations', 'temporary', 'total_bytes', 'peak', 'leaked'].map(field =>
      want.totals[field] - want.base[field]), `${name}: the totals`);
    await page.open('flame?cost=calls');
    await page.page.locator('.flame').focus();
    await page.page.keyboard.press('ArrowDown');
    await page.page.keyboard.press('ArrowUp');
    await page.page.keyboard.press('Enter');
    await page.settle();
    const node = top('--tree', '--sort', 'calls', ...traces).trees[0].nodes
      .find(async n => nameOf(n) === await page.text('.details .name'));
    ok((await page.text('.details [data-row="change"] .on'))
      .replaceAll(',', '') === `${node.calls > 0 ? '+' : ''}${node.calls}`,
    `${name}: a frame's change`, node.calls);
  },

  // Names that would be markup, and worse: every view, and no element or
  // attribute out of them.
  async hostile(page, {name}) {
    const views = ['summary', 'time', 'flame?inverted=1', 'tree?by=line',
      'tree?tree=top-down', 'tree?tree=callers', 'sizes', 'threads'];
    for (const view of views) {
      await page.open(view);
      const found = await page.page.evaluate(() => ({
        hacked: 'hacked' in window,
        elements: document.querySelectorAll('#app :is(script, img, b, svg, ' +
          'iframe, style, base, meta)').length,
        controls: /[\0-\x08\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/
          .test(document.body.innerText),
        wide: document.documentElement.scrollWidth > innerWidth,
      }));
      same(found, {hacked: false, elements: 0, controls: false, wide: false},
        `${name}: harmless in ${view}`);
    }
    await page.open('tree?by=line');
    ok((await page.texts('.row .code')).some(t => t.includes('</script>')),
      `${name}: the name is there`, await page.texts('.row .code'));
  },
};

const list = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu'],
});
for (const each of list) {
  const tab = await browser.newPage({viewport: {width: 1280, height: 2400},
    reducedMotion: 'reduce'});
  tab.setDefaultTimeout(10000);
  const said = [];
  await tab.addInitScript(() => {
    window.shifts = 0;
    new PerformanceObserver(list => {
      for (const shift of list.getEntries())
        window.shifts += shift.hadRecentInput ? 0 : shift.value;
    }).observe({type: 'layout-shift', buffered: true});
  });
  tab.on('console', message => said.push(message.text()));
  tab.on('pageerror', error => said.push(error.stack));
  tab.on('request', request => {
    if (!/^(file|data|about):/.test(request.url()))
      said.push(`asked for ${request.url()}`);
  });
  try {
    await new Page(tab, each.page).open('');
    await cases[each.test](new Page(tab, each.page), each);
  } catch (error) {
    ok(false, `${each.name}: to the end`, ...error.stack.split('\n'));
  }
  const shifts = await tab.evaluate(() => window.shifts);
  ok(shifts < 0.001, `${each.name}: nothing moves of itself`, shifts);
  same(said, [], `${each.name}: nothing on the console, nothing asked for`);
  await tab.close();
}
await browser.close();
