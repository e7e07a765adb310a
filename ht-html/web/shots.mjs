// SPDX-License-Identifier: LGPL-2.1-or-later
//
//     WEB=DIR node shots.mjs DIR PAGE…
//
// Pictures of every view of pages, as DIR/PAGE-VIEW-SCHEME-WIDTH.png. shots.sh
// makes the pages. WEB is the folder with playwright-core in node_modules.
import {basename, resolve} from 'node:path';

const {chromium} = await import(
  `${process.env.WEB}/node_modules/playwright-core/index.mjs`);
const VIEWS = {
  summary: 'summary',
  time: 'time',
  window: 'time?window=4-9',
  flame: 'flame?cost=calls',
  zoomed: 'flame?cost=calls&at=60',
  inverted: 'flame?cost=calls&inverted=1&find=alloc',
  bottomup: 'tree?cost=calls',
  topdown: 'tree?tree=top-down&cost=total&at=60',
  callers: 'tree?tree=callers&cost=calls',
  sizes: 'sizes',
  threads: 'threads?cost=total',
};
const [dir, ...pages] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox'],
});

for (const colorScheme of ['light', 'dark']) {
  for (const [width, height] of [[1280, 800], [390, 844]]) {
    const tab = await browser.newPage({colorScheme,
      viewport: {width, height}, reducedMotion: 'reduce'});
    for (const page of pages) {
      for (const [name, fragment] of Object.entries(VIEWS)) {
        await tab.goto('about:blank');
        await tab.goto(`file://${resolve(dir, page)}#${fragment}`);
        await tab.waitForSelector('html[data-ready]');
        await tab.waitForTimeout(100);
        await tab.screenshot({path: resolve(dir,
          `${basename(page, '.html')}-${name}-${colorScheme}-${width}.png`)});
      }
    }
    await tab.close();
  }
}
await browser.close();
