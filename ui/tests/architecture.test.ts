// @vitest-environment node
// Who may import whom, and what the content security policy forbids.

import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, dirname } from 'node:path';
import { describe, expect, it } from 'vitest';

const SRC = join(import.meta.dirname, '../src');
const files = (readdirSync(SRC, { recursive: true }) as string[]).filter((name) => /\.(ts|svelte)$/.test(name) && !name.endsWith('.test.ts'));
const text = (name: string) => readFileSync(join(SRC, name), 'utf8');

function imports(name: string): string[] {
  return [...text(name).matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, to = '']) =>
    to.startsWith('$lib/') ? to.replace('$lib/', 'lib/') : to.startsWith('.') ? relative(SRC, resolve(dirname(join(SRC, name)), to)) : to,
  );
}
const feature = (path: string) => /^features\/([^/]+)/.exec(path)?.[1];

describe('architecture', () => {
  it('is read from the files that are there', () => {
    expect(files.length).toBeGreaterThan(40);
    expect(imports('app/StudioWindow.svelte')).toContain('features/bag/Bag.svelte');
  });

  it('keeps features apart', () => {
    for (const name of files.filter(feature)) {
      for (const to of imports(name)) expect(feature(to) ?? feature(name), `${name} imports ${to}`).toBe(feature(name));
    }
  });

  it('lets the library know neither features nor pages', () => {
    for (const name of files.filter((f) => f.startsWith('lib/'))) {
      for (const to of imports(name)) expect(to, name).not.toMatch(/^(features|app)\//);
    }
  });

  it('keeps domain words out of the plain controls', () => {
    for (const name of files.filter((f) => f.startsWith('lib/ui/'))) {
      for (const to of imports(name)) expect(to, name).not.toMatch(/^lib\/(ipc|stores|parts|i18n)/);
    }
  });

  it('has one door to the program', () => {
    const doors = files.filter((name) => imports(name).some((to) => to.startsWith('@tauri-apps/')));
    // Generated bindings may bring their own.
    expect(doors.filter((name) => name !== 'lib/ipc/bindings.ts')).toEqual(['lib/ipc/client.ts']);
  });

  it('writes no markup from data, and no inline styles or scripts', () => {
    for (const name of files.filter((f) => f.endsWith('.svelte'))) {
      const markup = text(name).replace(/<style>[\s\S]*<\/style>/, '');
      expect(markup, name).not.toContain('{@html');
      expect(markup, name).not.toMatch(/\sstyle=/);
    }
    for (const page of ['index.html', 'orders.html']) {
      const html = readFileSync(join(SRC, '..', page), 'utf8');
      expect(html, page).not.toMatch(/<style|style=|\son\w+=|<script(?![^>]*\bsrc=)/);
    }
  });
});
