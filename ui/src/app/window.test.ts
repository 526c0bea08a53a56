import { fireEvent, render } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Component } from 'svelte';
import type { StudioView } from '$lib/ipc/bindings';
import { FakeStudio, sampleView } from '$lib/ipc/fake';
import { HOLD_MS } from '$lib/ui/HoldButton.svelte';
import type { StudioStore } from '$lib/stores/studio.svelte';
import OrdersWindow from './OrdersWindow.svelte';
import Root from './Root.svelte';
import StudioWindow from './StudioWindow.svelte';

// The preview has its own test: this page has no screen.
HTMLCanvasElement.prototype.getContext = () => null;
vi.stubGlobal('ResizeObserver', class { observe() {} unobserve() {} disconnect() {} });

async function open(fake: FakeStudio, page: Component<{ store: StudioStore }> = StudioWindow) {
  fake.delay = 0;
  const client = { ...fake.client, frame: () => new Promise<null>(() => {}) };
  const view = render(Root, { props: { client, page, title: 'app.title' as const } });
  await vi.waitFor(() => expect(view.queryByTestId('opening')).toBeNull());
  return { ...view, get: (id: string) => view.getByTestId(id), find: (id: string) => view.queryByTestId(id) };
}
const commands = (fake: FakeStudio) => fake.asked.map((a) => a.command).filter((c) => c !== 'snapshot');

describe('host window', () => {
  it('says why it did not open, and opens at the next try', async () => {
    const fake = new FakeStudio(sampleView('live'));
    fake.refusals.set('snapshot', { code: 'engine_down', params: {}, retryable: true });
    const page = await open(fake);
    expect(page.get('open-failed').textContent).toContain('画面进程没有回应');
    await fireEvent.click(page.get('open-again'));
    expect((await page.findByTestId('strip')).textContent).toContain('直播中');
  });

  it('puts a comment before the host in large letters until it is answered', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake);
    expect(page.find('reading')).toBeNull();
    await fireEvent.keyDown(document.body, { key: '2', code: 'Digit2', altKey: true });
    await fireEvent.click((await page.findByTestId('comment-list')).querySelector('[data-comment="m4"] [data-testid="comment-read"]') as HTMLElement);
    const reading = await page.findByTestId('reading');
    expect(reading.textContent).toContain('3 号拍了，什么时候发货');
    expect(reading.textContent).toContain('在问');
    await fireEvent.keyDown(document.body, { key: 'Escape' });
    await vi.waitFor(() => expect(page.find('reading')).toBeNull());
    expect(commands(fake)).toEqual(['read_comment', 'dismiss_comment']);
  });

  it('offers to load again when a part of it fails, instead of a blank page', async () => {
    const quiet = vi.spyOn(console, 'error').mockImplementation(() => {});
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake);
    fake.send({ section: 'bag', value: null as unknown as StudioView['bag'] });
    expect((await page.findByTestId('crashed')).textContent).toContain('直播和订单不受影响');
    fake.view = sampleView('live');
    await fireEvent.click(page.get('reload'));
    await vi.waitFor(() => expect(page.find('bag-row-3')).not.toBeNull());
    expect(quiet).toHaveBeenCalled();
    quiet.mockRestore();
  });

  it('shows the three losses apart', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake);
    fake.send({ section: 'stats', value: { ...fake.view.stats, lagged: 1, skipped: 20, dropped: 300 } });
    await vi.waitFor(() => expect(page.get('loss-lagged').textContent).toBe('1'));
    expect([page.get('loss-skipped').textContent, page.get('loss-dropped').textContent]).toEqual(['20', '300']);
  });

  it('follows every event', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake);
    expect(page.get('strip-now').dataset['number']).toBe('3');
    await fireEvent.click(page.get('explain-4'));
    await vi.waitFor(() => expect(page.get('strip-now').dataset['number']).toBe('4'));
    await vi.waitFor(() => expect(page.get('pin-4').dataset['action']).toBe('confirmed'));
    await fireEvent.click(page.get('unpin'));
    await vi.waitFor(() => expect(page.find('unpin')).toBeNull());
    expect(commands(fake)).toEqual(['pin_product', 'unpin_product']);
  });

  it('does not close on air without saying what goes on', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake);
    fake.pressClose();
    await vi.waitFor(() => expect(page.get('closing').textContent).toContain('关窗口不会停播'));
    await fireEvent.click(page.get('closing-stay'));
    await vi.waitFor(() => expect(page.find('closing')).toBeNull());
    expect(commands(fake)).toEqual([]);
    fake.pressClose();
    await fireEvent.click(await page.findByTestId('closing-leave'));
    expect(commands(fake)).toEqual(['close_window']);
    fake.send({ section: 'show', value: { ...fake.view.show, state: 'ready' } });
    await vi.waitFor(() => expect(page.find('closing')).toBeNull());
  });

  it('says what was refused', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake);
    fake.refusals.set('pin_product', { code: 'disk_full', params: {}, retryable: false });
    await fireEvent.click(page.get('explain-4'));
    expect((await page.findByTestId('notice')).textContent).toContain('磁盘满了');
    await fireEvent.click(page.get('notice-dismiss'));
    expect(page.find('notice')).toBeNull();
  });

  it('takes number keys and echoes them, but not while somebody types', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake);
    await fireEvent.keyDown(window, { key: '5' });
    expect(page.get('key-echo').textContent).toContain('讲解 5 号');
    await fireEvent.keyDown(window, { key: '2' });
    expect(page.get('key-echo').textContent).toContain('2 号卖完了');
    await fireEvent.keyDown(page.get('bag-search'), { key: '6' });
    expect(fake.asked.filter((a) => a.command === 'pin_product').map((a) => a.args)).toEqual([[5]]);
  });

  it('says what a key did once it is done, and not before', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake);
    fake.refusals.set('set_muted', { code: 'engine_down', params: {}, retryable: true });
    await fireEvent.keyDown(window, { key: 'm' });
    await page.findByTestId('notice');
    expect(page.find('key-echo')).toBeNull();
    fake.refusals.delete('set_muted');
    await fireEvent.keyDown(window, { key: 'm' });
    expect((await page.findByTestId('key-echo')).textContent).toContain('静音');
  });

  it('lets a show be ended while its media process is started again', async () => {
    const view = sampleView('live');
    const fake = new FakeStudio({ ...view, show: { ...view.show, state: 'opening', recordingSinceMs: null } });
    const page = await open(fake);
    expect((page.get('end-show') as HTMLButtonElement).disabled).toBe(false);
    // Nobody here saw the recording begin.
    expect(page.get('record').textContent).toContain('—');
  });

  it('speaks English when the settings say so, and tells the page', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake);
    await fireEvent.click(page.get('lang-switch'));
    await vi.waitFor(() => expect(page.get('show-state').textContent).toContain('LIVE'));
    expect([document.documentElement.lang, document.title]).toEqual(['en', 'Stallcast studio']);
    await fireEvent.click(page.get('theme-switch'));
    await vi.waitFor(() => expect(document.documentElement.dataset['theme']).toBe('light'));
  });

  it('records the next show while idle, and the running one on air', async () => {
    const idle = new FakeStudio(sampleView('idle'));
    const page = await open(idle);
    await fireEvent.click(page.get('record'));
    await vi.waitFor(() => expect(page.get('record').getAttribute('aria-pressed')).toBe('true'));
    page.unmount();
    const live = new FakeStudio(sampleView('live'));
    const onAir = await open(live);
    await fireEvent.click(onAir.get('record'));
    await vi.waitFor(() => expect(onAir.get('record').getAttribute('aria-pressed')).toBe('false'));
    await fireEvent.click(onAir.get('record'));
    expect([commands(idle), commands(live)]).toEqual([['set_recording'], ['stop_recording', 'start_recording']]);
  });

  it('records a clean picture beside the recording when that is wanted, and says so in words', async () => {
    const fake = new FakeStudio(sampleView('idle'));
    const page = await open(fake);
    await fireEvent.click(page.get('preflight-open'));
    await fireEvent.click(page.get('preflight-clean-feed'));
    await vi.waitFor(() => expect(page.get('preflight-clean-feed').getAttribute('aria-checked')).toBe('true'));
    page.unmount();
    const live = new FakeStudio(sampleView('live'));
    live.view.settings.cleanFeed = true;
    const onAir = await open(live);
    expect(onAir.get('record').textContent).not.toContain('干净画面');
    await fireEvent.click(onAir.get('record'));
    await vi.waitFor(() => expect(onAir.get('record').getAttribute('aria-pressed')).toBe('false'));
    await fireEvent.click(onAir.get('record'));
    await vi.waitFor(() => expect(onAir.get('record').textContent).toContain('含干净画面'));
    expect(onAir.get('record').getAttribute('aria-label')).toContain('干净画面');
    expect([commands(fake), commands(live)]).toEqual([['set_clean_feed'], ['stop_recording', 'start_recording']]);
  });

  it('has the sheet only before the show', async () => {
    const fake = new FakeStudio(sampleView('idle'));
    const page = await open(fake);
    await fireEvent.click(page.get('preflight-open'));
    expect(page.find('preflight')).not.toBeNull();
    await fireEvent.keyDown(window, { key: '1' });
    expect(commands(fake)).toEqual([]);
    fake.send({ section: 'show', value: { ...fake.view.show, state: 'starting' } });
    await vi.waitFor(() => expect(page.find('preflight')).toBeNull());
    expect(page.find('preflight-open')).toBeNull();
  });

  it('changes the camera on air, and keeps the panel when that fails', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake);
    await fireEvent.click(page.get('sources-open'));
    fake.refusals.set('choose_camera', { code: 'device_busy', params: { name: 'Integrated Camera' }, retryable: true });
    await fireEvent.click(await page.findByTestId('source-device-v1'));
    expect((await page.findByTestId('source-error')).textContent).toContain('Integrated Camera 正被别的程序占着');
    await fireEvent.click(page.get('source-device-v1'));
    await vi.waitFor(() => expect(page.get('source-now').textContent).toContain('Integrated Camera'));
    await fireEvent.click(page.get('source-demo'));
    await vi.waitFor(() => expect(fake.view.show.demo).toBe(true));
  });

  it('says which of two cameras of one model is on air', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake);
    await fireEvent.click(page.get('sources-open'));
    const marked = (): (string | null)[] => ['v0', 'v2'].map((id) => page.get(`source-device-${id}`).getAttribute('aria-current'));
    await page.findByTestId('source-device-v2');
    expect(marked()).toEqual(['true', null]);
    await fireEvent.click(page.get('source-device-v2'));
    await vi.waitFor(() => expect(marked()).toEqual([null, 'true']));
    expect(page.get('source-now').textContent).toContain('Logi C920 (2)');
  });

  it('counts the comments of this show while on air, and all of them else', async () => {
    const fake = new FakeStudio(sampleView('live'));
    fake.view.comments = { ...fake.view.comments, total: 500, inShow: 36 };
    const page = await open(fake);
    expect(page.get('tab-comments').textContent).toBe('评论 36');
    fake.send({ section: 'show', value: { ...fake.view.show, state: 'ready' } });
    await vi.waitFor(() => expect(page.get('tab-comments').textContent).toBe('评论 500'));
  });
});

describe('silence of the media process', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setTimeout', 'clearTimeout', 'Date'] }));
  afterEach(() => void vi.useRealTimers());

  it('is said, and its figures become dashes', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const client = { ...fake.client, frame: () => new Promise<null>(() => {}) };
    const page = render(Root, { props: { client, page: StudioWindow, title: 'app.title' as const } });
    await vi.advanceTimersByTimeAsync(100);
    fake.send({ section: 'stats', value: fake.view.stats });
    await vi.advanceTimersByTimeAsync(3_000);
    expect(page.queryByTestId('stale')).toBeNull();
    expect(page.getByTestId('fps').textContent).toBe('30.0');
    await vi.advanceTimersByTimeAsync(8_000);
    expect(page.getByTestId('stale').textContent).toContain('画面进程没有回应');
    expect([page.getByTestId('fps').textContent, page.getByTestId('loss-dropped').textContent, page.getByTestId('link').dataset['word']]).toEqual(['—', '—', 'lost']);
    fake.send({ section: 'stats', value: fake.view.stats });
    await vi.advanceTimersByTimeAsync(600);
    expect(page.queryByTestId('stale')).toBeNull();
  });

  it('goes live and ends only by holding', async () => {
    const fake = new FakeStudio(sampleView('idle'));
    fake.delay = 0;
    const client = { ...fake.client, frame: () => new Promise<null>(() => {}) };
    const page = render(Root, { props: { client, page: StudioWindow, title: 'app.title' as const } });
    await vi.advanceTimersByTimeAsync(100);
    await fireEvent.click(page.getByTestId('go-live'));
    await fireEvent.pointerDown(page.getByTestId('go-live'), { button: 0 });
    await vi.advanceTimersByTimeAsync(HOLD_MS - 10);
    expect(commands(fake)).toEqual([]);
    await vi.advanceTimersByTimeAsync(100);
    expect(commands(fake)).toEqual(['go_live']);
    const end = page.getByTestId('end-show');
    expect(page.getByTestId('show-state').dataset['state']).toBe('live');
    // The same press goes on: it must not end the show.
    await vi.advanceTimersByTimeAsync(HOLD_MS * 3);
    expect(commands(fake)).toEqual(['go_live']);
    await fireEvent.pointerUp(end);
    await fireEvent.pointerDown(end, { button: 0 });
    await vi.advanceTimersByTimeAsync(HOLD_MS + 100);
    expect(commands(fake)).toEqual(['go_live', 'end_show']);
    expect(page.getByTestId('show-state').dataset['state']).toBe('ready');
  });
});

describe('order window', () => {
  it('shows the same orders, starting with what is to pack', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake, OrdersWindow);
    const ids = () => page.queryAllByTestId('order-row').map((row) => row.dataset['order']);
    expect(ids()).toEqual(['o1', 'o2', 'o3', 'o5']);
    expect(page.get('staff-now').textContent).toContain('青瓷盖碗三件套');
    await fireEvent.click(page.get('filter-all'));
    expect(ids().length).toBe(10);
    await fireEvent.input(page.get('order-search'), { target: { value: 'L**' } });
    await vi.waitFor(() => expect(ids()).toEqual(['o8']));
    expect(fake.asked.at(-1)).toEqual({ command: 'search_orders', args: ['L**', null, null, null] });
  });

  it('ships, and shows the confirmation only when it came', async () => {
    const fake = new FakeStudio(sampleView('live'));
    const page = await open(fake, OrdersWindow);
    await fireEvent.click(page.getAllByTestId('ship-open')[0] as HTMLElement);
    await fireEvent.input(page.get('ship-carrier'), { target: { value: '顺丰' } });
    await fireEvent.input(page.get('ship-tracking'), { target: { value: 'SF100' } });
    fake.delay = 50;
    await fireEvent.click(page.get('ship-submit'));
    await fireEvent.click(page.get('filter-all'));
    const first = () => page.queryAllByTestId('order-row')[0] as HTMLElement;
    expect(first().querySelector('[data-action]')?.getAttribute('data-action')).toBe('sending');
    await vi.waitFor(() => expect(first().dataset['status']).toBe('shipped'));
    expect(first().querySelector('[data-action]')?.getAttribute('data-action')).toBe('confirmed');
  });

  it('tells only the problems of orders', async () => {
    const fake = new FakeStudio(sampleView('trouble'));
    const page = await open(fake, OrdersWindow);
    expect(page.find('problem')).toBeNull();
    fake.send({ section: 'health', value: [{ subject: 'platform:local', code: 'platform_unreachable', params: { connection: '半山茶器' }, atMs: 1, level: 'bad' }] });
    expect((await page.findByTestId('problem')).textContent).toContain('连不上 半山茶器');
  });
});
