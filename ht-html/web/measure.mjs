// SPDX-License-Identifier: LGPL-2.1-or-later
//
//     WEB=DIR node measure.mjs PAGE
//
// How quick a page is: how long each view takes to open, from the address to
// the first picture; and the times between frames while it is used, the median
// and the longest, of which 16.7 ms is as quick as the screen.
import {resolve} from 'node:path';

const {chromium} = await import(
  `${process.env.WEB}/node_modules/playwright-core/index.mjs`);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
const page = await browser.newPage({viewport: {width: 1280, height: 800}});
const file = `file://${resolve(process.argv[2])}`;

async function open(fragment) {
  await page.goto('about:blank');
  const start = performance.now();
  await page.goto(`${file}#${fragment}`);
  await page.waitForSelector('html[data-ready]');
  await page.evaluate(() => new Promise(done =>
    requestAnimationFrame(() => requestAnimationFrame(done))));
  return performance.now() - start;
}

// The frames from here on until a while after `use`.
async function frames(what, use) {
  await page.evaluate(() => {
    window.times = [];
    window.watching = true;
    let last = performance.now();
    const frame = () => {
      const now = performance.now();
      times.push(now - last);
      last = now;
      if (watching)
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  await use();
  await page.waitForTimeout(500);
  const times = await page.evaluate(() => {
    window.watching = false;
    return window.times.slice(1).sort((a, b) => a - b);
  });
  console.log(`${what.padEnd(32)} ${String(times.length).padStart(4)} frames,` +
    ` median ${times[times.length >> 1].toFixed(1)} ms, longest ${
      times.at(-1).toFixed(1)} ms`);
}

for (const view of ['summary', 'time', 'flame?cost=calls',
  'flame?cost=calls&inverted=1', 'tree', 'tree?tree=top-down',
  'tree?tree=callers', 'sizes', 'threads'])
  console.log(`${view.padEnd(32)} opens in ${(await open(view)).toFixed(0)} ms`);
for (const view of ['flame?cost=calls', 'flame?cost=calls&inverted=1']) {
  await open(view);
  const box = await page.locator('.flame').boundingBox();
  await frames(`${view}: zoom`, async () => {
    for (let i = 1; i < 7; i++) {
      await page.mouse.click(box.x + box.width * 0.3, box.y + 9 + 38 * i);
      await page.waitForTimeout(250);
    }
  });
  await frames(`${view}: zoom out`, () => page.keyboard.press('Escape'));
  await frames(`${view}: hover`, async () => {
    for (let i = 0; i < 40; i++)
      await page.mouse.move(box.x + 30 * i, box.y + 50 + i % 10 * 19);
  });
  await frames(`${view}: mark`, () => page.fill('.flameview input', 'alloc'));
}
await open('tree?cost=calls');
await page.mouse.move(500, 500);
await frames('tree: scroll', async () => {
  for (let i = 0; i < 40; i++) {
    await page.mouse.wheel(0, 240);
    await page.waitForTimeout(16);
  }
});
await frames('tree: sort', () => page.click('[data-sort="total"]'));
await frames('tree: choose a window', () => page.evaluate(() => {
  location.hash = '#tree?cost=calls&window=3-40';
}));
await browser.close();
