// SPDX-License-Identifier: LGPL-2.1-or-later
// Bundles the page into one file, dist/page.html, which refers to nothing
// outside. Its policy lets only this script and this style run, by their
// hashes: nothing that data could bring in.
import {createHash} from 'node:crypto';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {build} from 'esbuild';

const {outputFiles} = await build({
  entryPoints: ['src/main.ts'],
  outdir: 'dist',
  bundle: true,
  minify: true,
  write: false,
  charset: 'utf8',
  format: 'iife',
  target: ['chrome109', 'firefox115', 'safari16.4'],
  legalComments: 'none',
  logLevel: 'warning',
});
const output = end => outputFiles.find(f => f.path.endsWith(end)).text.trim();
const hash = text =>
  `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

// Inside an element, the text must not end it.
const script = output('.js').replaceAll('</script', '<\\/script');
const style = output('.css');
const policy = [
  `default-src 'none'`,
  `script-src ${hash(script)}`,
  `style-src ${hash(style)}`,
  'img-src data:',
  `base-uri 'none'`,
  `form-action 'none'`,
].join('; ');
const licence = readFileSync('node_modules/uplot/LICENSE', 'utf8').trim();
const parts = {
  POLICY: policy,
  LICENCE: `This page contains uPlot.\n\n${licence}`,
  STYLE: style,
  SCRIPT: script,
};
const page = readFileSync('src/page.html', 'utf8')
  .replace(/@(POLICY|LICENCE|STYLE|SCRIPT)@/g, (_, name) => parts[name]);

mkdirSync('dist', {recursive: true});
writeFileSync('dist/page.html', page);
