import { fireEvent } from '@testing-library/svelte';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { DestinationView, StudioView } from '$lib/ipc/bindings';
import { FakeStudio, sampleView } from '$lib/ipc/fake';
import { setLanguage } from '$lib/i18n/index.svelte';
import type { MicWord } from '$lib/stores/loudness';
import { panel } from '../../../tests/render';
import { canGoLive, checks, type Known } from './checks';
import DestinationForm from './DestinationForm.svelte';
import GoLiveSheet from './GoLiveSheet.svelte';
import LastSteps from './LastSteps.svelte';

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

  it('does not go live with a key that is gone', async () => {
    const view = sampleView('idle');
    const destinations = view.destinations.map((d) => (d.id === 'd1' ? { ...d, keyGone: true, keyHint: '' } : d));
    const page = sheet({ ...view, destinations });
    expect(page.get('check-to').textContent).toContain('视频号 要贴新的推流码');
    expect(page.get('preflight-go-live').getAttribute('aria-disabled')).toBe('true');
    await fireEvent.click(page.get('destination-paste-key'));
    await page.findByTestId('destination-form');
    await page.rerender({ known: known({ ...view, destinations: destinations.map((d) => ({ ...d, enabled: false })) }) });
    expect(page.get('preflight-go-live').getAttribute('aria-disabled')).not.toBe('true');
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
    expect(page.find('platform-picker')).not.toBeNull();
    await fireEvent.keyDown(page.get('preflight'), { key: 'Escape' });
    expect(page.find('platform-picker')).toBeNull();
    expect(page.onclose).not.toHaveBeenCalled();
    // What had the focus is gone: the next key must reach the sheet all the same.
    await vi.waitFor(() => expect(document.activeElement).toBe(page.get('preflight')));
    await fireEvent.keyDown(document.activeElement as Element, { key: 'Escape' });
    expect(page.onclose).toHaveBeenCalledOnce();
  });
});

describe('destination form', () => {
  const form = async (id: string | null, platform = 'custom', change: Partial<DestinationView> = {}) => {
    const fake = new FakeStudio(sampleView('idle'));
    const onclose = vi.fn();
    const found = fake.view.destinations.find((d) => d.id === id);
    const page = { ...panel(DestinationForm, { destination: found ? { ...found, ...change } : null, onclose }, fake), onclose };
    if (id === null) await fireEvent.click(await page.findByTestId(`platform-${platform}`));
    await page.findByTestId('platform-facts');
    return page;
  };
  type Page = Awaited<ReturnType<typeof form>>;
  const fill = (page: Page, values: Record<string, string>) =>
    Promise.all(Object.entries(values).map(([name, value]) => fireEvent.input(page.get(`destination-${name}`), { target: { value } })));
  const saved = (page: Page) => page.fake.asked.find((a) => a.command === 'save_destination')?.args[0];
  const value = (page: Page, name: string) => (page.get(`destination-${name}`) as HTMLInputElement).value;

  it('asks for the platform first, and says where the key is found', async () => {
    const page = await form(null, 'wechat_channels');
    expect(value(page, 'name')).toBe('视频号');
    const facts = page.get('platform-facts').textContent;
    expect(facts).toContain('channels.weixin.qq.com');
    expect(facts).toContain('按「开始直播」');
    expect(facts).toContain('没有公布');
    expect(page.get('destination-one-show-sure').textContent).toContain('每场都是新的');
  });

  it('fills in the server where it is the same for everybody', async () => {
    const page = await form(null, 'youtube');
    expect(value(page, 'url')).toBe('rtmps://a.rtmps.youtube.com:443/live2');
    await fireEvent.click(page.getAllByTestId('destination-server')[1] as HTMLElement);
    expect(value(page, 'url')).toContain('backup=1');
    expect(page.find('destination-one-show')).toBeNull();
    await fireEvent.click(page.get('destination-another'));
    await fireEvent.click(page.get('platform-kuaishou'));
    expect([value(page, 'name'), value(page, 'url')]).toEqual(['快手', 'rtmp://open-push.voip.yximgs.com/gifshow/']);
  });

  it('warns of what is outside of the limits', async () => {
    const page = await form(null, 'facebook');
    expect(page.get('platform-note').textContent).toContain('从 5000 降到 4000');
    expect(page.get('platform-facts').textContent).toContain('rtmps://');
  });

  it('hides the key while it is typed', async () => {
    expect((((await form(null)).get('destination-key')) as HTMLInputElement).type).toBe('password');
  });

  it('sends address and key', async () => {
    const page = await form(null);
    await fill(page, { name: ' 视频号 ', url: ' rtmp://push.example/live ', key: ' k-1 ' });
    await fireEvent.click(page.get('destination-one-show'));
    await fireEvent.click(page.get('destination-save'));
    await vi.waitFor(() => expect(page.onclose).toHaveBeenCalled());
    expect(saved(page)).toEqual({ id: null, preset: 'custom', name: '视频号', url: 'rtmp://push.example/live', key: 'k-1', oneShow: true, enabled: true });
  });

  it('sends a complete address without a key, masked as well', async () => {
    const page = await form(null);
    await fireEvent.click(page.get('destination-whole'));
    expect((page.get('destination-whole-url') as HTMLInputElement).type).toBe('password');
    await fill(page, { name: 'a', 'whole-url': 'rtmps://push.example/live/abc' });
    await fireEvent.click(page.get('destination-save'));
    await vi.waitFor(() => expect(saved(page)).toMatchObject({ url: 'rtmps://push.example/live/abc', key: '' }));
  });

  it('shows the stored address again, and keeps what is not typed', async () => {
    const page = await form('d1');
    expect((page.get('destination-key') as HTMLInputElement).placeholder).toContain('•••• 3f9a');
    expect(value(page, 'url')).toBe('rtmp://push.channels.example/live');
    await fill(page, { name: '新名字' });
    await fireEvent.click(page.get('destination-save'));
    await vi.waitFor(() => expect(saved(page)).toMatchObject({ id: 'd1', url: null, key: null, name: '新名字' }));
  });

  it('asks for a new key where the last one is gone', async () => {
    const page = await form('d1', '', { keyGone: true, keyHint: '' });
    expect((page.get('destination-key') as HTMLInputElement).placeholder).toContain('已清掉');
    await fill(page, { key: 'k2' });
    await fireEvent.click(page.get('destination-save'));
    await vi.waitFor(() => expect(saved(page)).toMatchObject({ url: null, key: 'k2' }));
  });

  it('says what is wrong and keeps what was typed', async () => {
    const page = await form(null);
    await fill(page, { name: 'a', url: 'http://x' });
    await fireEvent.click(page.get('destination-save'));
    expect((await page.findByTestId('destination-error')).textContent).toContain('网页地址');
    expect(value(page, 'url')).toBe('http://x');
    expect(page.onclose).not.toHaveBeenCalled();
  });
});

describe('last steps', () => {
  it('stay until the host says that they are done', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const [first, ...others] = fake.view.destinations as [DestinationView];
    const due = { ...first, lastStep: { zh: '按「开始直播」。', en: 'Press start.' } };
    const page = panel(LastSteps, { destinations: [due, ...others] }, fake);
    expect(page.get('last-step').textContent).toContain('按「开始直播」');
    await fireEvent.click(page.get('last-step-done'));
    expect(fake.asked).toEqual([{ command: 'confirm_last_step', args: ['d1'] }]);
    await page.rerender({ destinations: [first, ...others] });
    expect(page.find('last-step')).toBeNull();
  });
});
