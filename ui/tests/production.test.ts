// @vitest-environment node
// What is shipped: no fake studio, nothing the content security policy would stop.

import { resolve } from 'node:path';
import { build, type Rollup } from 'vite';
import { expect, it } from 'vitest';

it('ships no fake studio and no inline code', async () => {
  const root = `${resolve(import.meta.dirname, '..')}/`;
  const mode = process.env['NODE_ENV'];
  // As the real build is run; under test the page would be a development page.
  process.env['NODE_ENV'] = 'production';
  const built = (await build({
    root,
    configFile: `${root}vite.config.ts`,
    mode: 'production',
    logLevel: 'silent',
    build: { write: false, rolldownOptions: { input: { studio: `${root}index.html`, orders: `${root}orders.html` } } },
  })) as Rollup.RollupOutput;
  process.env['NODE_ENV'] = mode;
  const { output } = built;
  const names = output.map((o) => o.fileName);
  expect(names).toContain('index.html');
  expect(names).toContain('orders.html');
  expect(names.filter((n) => /fake/.test(n))).toEqual([]);
  for (const part of output) {
    const text = part.type === 'chunk' ? part.code : typeof part.source === 'string' ? part.source : '';
    expect(text, part.fileName).not.toMatch(/FakeStudio|Half Hill Tea|半山茶器/);
    if (part.fileName.endsWith('.html')) expect(text, part.fileName).not.toMatch(/<style|<script(?![^>]*\bsrc=)/);
    if (part.fileName.endsWith('.css')) expect(text, part.fileName).not.toMatch(/url\(\s*["']?(data|https?):/);
  }
}, 60_000);
