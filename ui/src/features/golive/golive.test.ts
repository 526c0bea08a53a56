import { fireEvent } from '@testing-library/svelte';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { StudioView } from '$lib/ipc/bindings';
import { FakeStudio, sampleView } from '$lib/ipc/fake';
import { setLanguage } from '$lib/i18n/index.svelte';
import type { MicWord } from '$lib/stores/loudness';
import { panel } from '../../../tests/render';
import { canGoLive, checks, type Known } from './checks';
import DestinationForm from './DestinationForm.svelte';
import GoLiveSheet from './GoLiveSheet.svelte';

const known = (view: StudioView, mic: MicWord = 'good'): Known => ({ ...view, mic });

describe('checks', () => {
  beforeEach(() => setLanguage('zh-CN'));
  const looks = (k: Known) => checks(k).filter((c) => c.level === 'look').map((c) => c.name);

  it('find nothing on a clean machine', () => {
    expect(looks(known(sampleView('idle')))).toEqual([]);
  });

  it('name each thing worth a look, and nothing else', () => {
    const view = sampleView('idle');
    const cases: [string, Known][] = [
      ['camera', known({ ...view, show: { ...view.show, demo: true } })],
      ['camera', known({ ...view, show: { ...view.show, camera: '' } })],
      ['mic', known(view, 'muted')],
      ['mic', known(view, 'none')],
      ['mic', known(view, 'quiet')],
      ['encoder', known({ ...view, stats: { ...view.stats, cpu: 3.6 } })],
      ['disk', known({ ...view, settings: { ...view.settings, record: true }, stats: { ...view.stats, diskMinutes: 12 } })],
      ['bag', known({ ...view, bag: [] })],
      ['orders', known({ ...view, orders: { ...view.orders, seal: { kind: 'unknown' } } })],
      ['shop', known({ ...view, show: { ...view.show, viewerUrl: null } })],
    ];
    for (const [name, k] of cases) expect(looks(k)).toEqual([name]);
  });

  it('do not mind a full disk when nothing is recorded', () => {
    const view = sampleView('idle');
    expect(looks(known({ ...view, stats: { ...view.stats, diskMinutes: 1 } }))).toEqual([]);
  });

  it('know when there is nowhere to go', () => {
    const view = sampleView('idle');
    const nowhere = { ...view, show: { ...view.show, viewerUrl: null }, destinations: [] };
    expect(canGoLive(known(view))).toBe(true);
    expect(canGoLive(known(nowhere))).toBe(false);
    expect(canGoLive(known({ ...nowhere, settings: { ...view.settings, record: true } }))).toBe(true);
    expect(canGoLive(known({ ...view, show: { ...view.show, state: 'opening' } }))).toBe(false);
  });
});

describe('pre-flight', () => {
  const sheet = (view = sampleView('idle'), mic: MicWord = 'good') => {
    const fake = new FakeStudio(view);
    const calls = { ongolive: vi.fn(), onclose: vi.fn(), onsources: vi.fn() };
    return { ...panel(GoLiveSheet, { known: known(view, mic), levels: null, ...calls }, fake), ...calls };
  };

  it('says how it stands in its first line', async () => {
    const page = sheet(sampleView('idle'), 'muted');
    expect(page.getByRole('heading', { level: 2 }).textContent).toBe('可以开播，还有 1 件事值得先看');
    await fireEvent.click(page.get('check-mic-fix'));
    expect(page.fake.asked).toEqual([{ command: 'set_muted', args: [false] }]);
    await page.rerender({ known: known(sampleView('idle')) });
    expect(page.getByRole('heading', { level: 2 }).textContent).toBe('可以开播');
  });

  it('cannot be held when there is nowhere to go', () => {
    const view = sampleView('idle');
    const page = sheet({ ...view, show: { ...view.show, viewerUrl: null }, destinations: [] });
    expect(page.get('preflight-go-live').getAttribute('aria-disabled')).toBe('true');
    expect(page.getByRole('heading', { level: 2 }).textContent).toBe('还不能开播');
  });

  it('switches, and removes only after a second press', async () => {
    const page = sheet();
    await fireEvent.click(page.get('destination-enable-d3'));
    const [remove] = page.getAllByTestId('destination-remove') as [HTMLElement];
    await fireEvent.click(remove);
    expect(remove.textContent).toContain('真的删除');
    await fireEvent.blur(remove);
    await fireEvent.click(remove);
    expect(page.fake.asked).toEqual([{ command: 'enable_destination', args: ['d3', true] }]);
    await fireEvent.click(remove);
    expect(page.fake.asked.at(-1)).toEqual({ command: 'remove_destination', args: ['d1'] });
  });

  it('shows what was refused inside the sheet', async () => {
    const page = sheet();
    page.fake.refusals.set('enable_destination', { code: 'too_many_destinations', params: { most: '4' }, retryable: false });
    await fireEvent.click(page.get('destination-enable-d3'));
    expect((await page.findByTestId('notice')).textContent).toContain('最多同时推 4 路');
  });

  it('closes the form first, then itself', async () => {
    const page = sheet();
    await fireEvent.click(page.get('destination-add'));
    await fireEvent.keyDown(page.get('preflight'), { key: 'Escape' });
    expect(page.find('destination-form')).toBeNull();
    expect(page.onclose).not.toHaveBeenCalled();
    await fireEvent.keyDown(page.get('preflight'), { key: 'Escape' });
    expect(page.onclose).toHaveBeenCalledOnce();
  });
});

describe('destination form', () => {
  const form = (id: string | null) => {
    const fake = new FakeStudio(sampleView('idle'));
    const onclose = vi.fn();
    return { ...panel(DestinationForm, { destination: fake.view.destinations.find((d) => d.id === id) ?? null, onclose }, fake), onclose };
  };
  const fill = (page: ReturnType<typeof form>, values: Record<string, string>) =>
    Promise.all(Object.entries(values).map(([name, value]) => fireEvent.input(page.get(`destination-${name}`), { target: { value } })));
  const saved = (page: ReturnType<typeof form>) => page.fake.asked.find((a) => a.command === 'save_destination')?.args[0];

  it('hides the key while it is typed', () => {
    expect((form(null).get('destination-key') as HTMLInputElement).type).toBe('password');
  });

  it('sends address and key', async () => {
    const page = form(null);
    await fill(page, { name: ' 视频号 ', url: ' rtmp://push.example/live ', key: ' k-1 ' });
    await fireEvent.click(page.get('destination-save'));
    await vi.waitFor(() => expect(page.onclose).toHaveBeenCalled());
    expect(saved(page)).toEqual({ id: null, name: '视频号', url: 'rtmp://push.example/live', key: 'k-1', enabled: true });
  });

  it('sends a complete address without a key, masked as well', async () => {
    const page = form(null);
    await fireEvent.click(page.get('destination-whole'));
    expect((page.get('destination-url') as HTMLInputElement).type).toBe('password');
    await fill(page, { name: 'a', url: 'rtmps://push.example/live/abc' });
    await fireEvent.click(page.get('destination-save'));
    await vi.waitFor(() => expect(saved(page)).toMatchObject({ url: 'rtmps://push.example/live/abc', key: '' }));
  });

  it('keeps the stored key when none is typed', async () => {
    const page = form('d1');
    expect((page.get('destination-key') as HTMLInputElement).placeholder).toContain('•••• 3f9a');
    await fill(page, { url: 'rtmp://push.example/live' });
    await fireEvent.click(page.get('destination-save'));
    await vi.waitFor(() => expect(saved(page)).toMatchObject({ id: 'd1', key: null }));
  });

  it('says what is wrong and keeps what was typed', async () => {
    const page = form(null);
    await fill(page, { name: 'a', url: 'http://x' });
    await fireEvent.click(page.get('destination-save'));
    expect((await page.findByTestId('destination-error')).textContent).toContain('推流地址不对');
    expect((page.get('destination-url') as HTMLInputElement).value).toBe('http://x');
    expect(page.onclose).not.toHaveBeenCalled();
  });
});
