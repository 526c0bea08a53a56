import { clearMocks, mockConvertFileSrc, mockIPC } from '@tauri-apps/api/mocks';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { tauriClient } from './client';

afterEach(() => {
  clearMocks();
  vi.unstubAllGlobals();
});

describe('client', () => {
  it('calls exactly the commands of its table, under the names of its arguments', async () => {
    const called = new Map<string, unknown>();
    mockIPC((command, args) => {
      called.set(command, args);
      return null;
    });
    const c = tauriClient('studio');
    await Promise.all([
      c.snapshot(),
      c.pinProduct(3),
      c.unpinProduct(),
      c.explainNext(),
      c.bagCandidates('盖碗'),
      c.addToBag('k', 'p'),
      c.removeFromBag(3),
      c.moveInBag(3, -1),
      c.goLive(),
      c.endShow(),
      c.setMuted(true),
      c.startRecording(),
      c.stopRecording(),
      c.issueCoupon({ discount: '30', threshold: '', quantity: 1, validS: 60 }),
      c.withdrawCoupon('c'),
      c.changeOffer({ number: 1, skuId: null, price: '9', stockBy: 0 }),
      c.searchComments('t', null),
      c.readComment('k', 'm'),
      c.dismissComment(),
      c.hideComment('k', 'm'),
      c.searchOrders('t', null, 'k', null),
      c.shipOrder('k', 'o', 'c', 't', []),
      c.agreeAfterSale('k', 'o', 'a'),
      c.refuseAfterSale('k', 'o', 'a', 'r'),
      c.retryIntent('i'),
      c.discardIntent('i'),
      c.saveDestination({ id: null, preset: 'custom', name: 'n', url: 'u', key: null, oneShow: false, enabled: true }),
      c.destinationPresets(),
      c.destinationAddress('d'),
      c.confirmLastStep('d'),
      c.removeDestination('d'),
      c.enableDestination('d', false),
      c.addShop({ address: 'a', token: 't', name: '', trustNetwork: false }),
      c.renameShop('k', 'n'),
      c.removeShop('k'),
      c.listDevices(),
      c.chooseCamera({ kind: 'demo' }),
      c.chooseMic({ kind: 'none' }),
      c.setLanguage('en'),
      c.setTheme('dark'),
      c.setRecording(true),
      c.setCleanFeed(true),
      c.setRetention(90),
      c.openOrdersWindow(),
      c.closeWindow(),
    ]);
    const source = readFileSync(join(import.meta.dirname, 'client.ts'), 'utf8');
    const table = new Map([...source.matchAll(/^\/\/ \| ([a-z_]+) *\| ([^|]*?) *\|/gm)].map(([, name = '', args = '']) => [name, args]));
    table.delete('command');
    expect([...called.keys()].sort()).toEqual([...table.keys()].sort());
    for (const [name, args] of called) {
      const names = (table.get(name) ?? '').replace('(shell)', '').split(',').map((a) => a.split(':')[0]?.trim() ?? '').filter((a) => a !== '');
      expect(Object.keys((args ?? {}) as object), name).toEqual(names);
    }
  });

  it('has every method that the program offers to windows', () => {
    // The shell's list, if it is there: a command without a button is noticed.
    const shell = readFileSync(join(import.meta.dirname, '../../../../src-tauri/src/bridge.rs'), 'utf8');
    const offered = [...(/collect_commands!\[([^\]]*)\]/.exec(shell)?.[1] ?? '').matchAll(/::([a-z_]+)/g)].map((m) => m[1] ?? '');
    const source = readFileSync(join(import.meta.dirname, 'client.ts'), 'utf8');
    expect(offered.length).toBeGreaterThan(15);
    for (const name of offered) expect(source, name).toContain(`command('${name}'`);
  });

  it('passes a refusal on as it is, and anything else as an inner error', async () => {
    mockIPC((command) => {
      throw command === 'go_live' ? { code: 'no_output', params: { a: 'b' }, retryable: true } : 'not allowed';
    });
    await expect(tauriClient('studio').goLive()).rejects.toEqual({ code: 'no_output', params: { a: 'b' }, retryable: true });
    await expect(tauriClient('studio').endShow()).rejects.toMatchObject({ code: 'internal' });
  });

  it('listens to its own window and to what goes to all', async () => {
    const heard: unknown[] = [];
    mockIPC((command, args) => {
      if (command === 'plugin:event|listen') heard.push((args as { target: unknown }).target);
      return 1;
    });
    await tauriClient('orders').listen(() => {});
    expect(heard).toEqual([{ kind: 'AnyLabel', label: 'orders' }]);
  });

  it('reads a picture and its number; no picture is none, a fault is thrown', async () => {
    mockIPC(() => null);
    mockConvertFileSrc('linux');
    const asked: string[] = [];
    const answer = (response: Response) => vi.stubGlobal('fetch', async (url: string) => (asked.push(url), response));
    const next = (after: number) => tauriClient('studio').frame(after, 640, new AbortController().signal);
    answer(new Response('x', { headers: { 'x-seq': '8' } }));
    expect((await next(7))?.seq).toBe(8);
    expect(asked).toEqual(['preview://localhost/frame?after=7&side=640']);
    answer(new Response('x'));
    expect((await next(7))?.seq).toBe(7);
    answer(new Response(null, { status: 204 }));
    expect(await next(7)).toBeNull();
    answer(new Response('', { status: 503 }));
    await expect(next(7)).rejects.toThrow('503');
  });

  it('addresses pictures of products through the program, and nothing else', () => {
    mockIPC(() => null);
    mockConvertFileSrc('linux');
    expect(tauriClient('studio').pictureUrl('picture/local/a%2Fb?v=1')).toBe('preview://localhost/picture/local/a%2Fb?v=1');
    expect(tauriClient('studio').pictureUrl('javascript:alert(1)')).toBeNull();
  });
});
