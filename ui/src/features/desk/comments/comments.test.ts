import { fireEvent } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { CommentRowView, CommentsView } from '$lib/ipc/bindings';
import { FakeStudio, sampleView } from '$lib/ipc/fake';
import { panel } from '../../../../tests/render';
import { READING_MS } from '../queue.svelte';
import CommentFeed from './CommentFeed.svelte';

const NOW = 1_800_000_000_000;
const sample = (mode = 'live') => sampleView(mode, false, NOW);

describe('comments in the desk', () => {
  beforeEach(() => void vi.useFakeTimers({ now: NOW, toFake: ['Date'] }));
  afterEach(() => void vi.useRealTimers());

  const feed = (comments: CommentsView = sample().comments, more: Record<string, unknown> = {}, fake = new FakeStudio(sample())) =>
    panel(CommentFeed, { comments, destinations: [], now: NOW, live: true, ...more }, fake);
  const ids = (page: { queryAllByTestId(id: string): HTMLElement[] }) => page.queryAllByTestId('comment-row').map((row) => row.dataset['comment']);
  const row = (page: { queryAllByTestId(id: string): HTMLElement[] }, i: number) => page.queryAllByTestId('comment-row')[i] as HTMLElement;
  const part = (page: { queryAllByTestId(id: string): HTMLElement[] }, i: number, id: string) => row(page, i).querySelector<HTMLElement>(`[data-testid="${id}"]`);
  const written = (id: string, text: string): CommentRowView => ({ ...(sample().comments.rows[0] as CommentRowView), id, text });

  it('are text whatever they hold, with guests named and questions marked by a word', () => {
    const comments = sample().comments;
    (comments.rows[0] as CommentRowView).text = '<img src=x onerror=alert(1)>';
    (comments.rows[0] as CommentRowView).author = '<b>x</b>';
    const page = feed(comments);
    expect(row(page, 0).textContent).toContain('<img src=x onerror=alert(1)>');
    expect(row(page, 0).textContent).toContain('<b>x</b>');
    expect(row(page, 0).querySelector('img')).toBeNull();
    expect(row(page, 0).textContent).toContain('提问');
    expect(row(page, 2).textContent).not.toContain('提问');
    expect(row(page, 5).textContent).toContain('游客');
  });

  it('are put before the host and away again', async () => {
    const fake = new FakeStudio(sample());
    const page = feed(fake.view.comments, {}, fake);
    await fireEvent.click(part(page, 1, 'comment-read') as HTMLElement);
    expect(fake.asked).toEqual([{ command: 'read_comment', args: ['local', 'm2'] }]);
    await page.rerender({ comments: fake.view.comments });
    expect(part(page, 1, 'comment-read')).toBeNull();
    await fireEvent.click(part(page, 1, 'comment-done') as HTMLElement);
    expect(fake.asked.at(-1)).toEqual({ command: 'dismiss_comment', args: [] });
  });

  it('are taken off after a second press, and say how far that is', async () => {
    const fake = new FakeStudio(sample());
    fake.delay = 0;
    const page = feed(fake.view.comments, {}, fake);
    const button = part(page, 0, 'comment-hide') as HTMLElement;
    await fireEvent.click(button);
    expect([fake.asked, button.textContent]).toEqual([[], '再按一次就撤下']);
    await fireEvent.blur(button);
    expect(button.textContent).toBe('');
    await fireEvent.click(button);
    await fireEvent.click(button);
    expect(fake.asked).toEqual([{ command: 'hide_comment', args: ['local', 'm1'] }]);
    await page.rerender({ comments: fake.view.comments });
    expect(part(page, 0, 'comment-hide-state')?.textContent).toContain('发送中');
    expect(part(page, 0, 'comment-hide')).toBeNull();
    await vi.waitFor(() => expect(fake.view.comments.rows[0]?.isHidden).toBe(true));
    await page.rerender({ comments: fake.view.comments });
    expect(part(page, 0, 'comment-hidden')?.textContent).toContain('已撤下');
    expect([part(page, 0, 'comment-read'), part(page, 0, 'comment-hide')]).toEqual([null, null]);
  });

  it('that a tool brought from elsewhere say where, can be read out and are not offered to be taken off', () => {
    const comments = sample().comments;
    Object.assign(comments.rows[0] as CommentRowView, { fromElsewhere: true, connection: '抖音' });
    const page = feed(comments);
    expect(row(page, 0).textContent).toContain('抖音');
    expect(part(page, 0, 'comment-read')).not.toBeNull();
    expect(part(page, 0, 'comment-hide')).toBeNull();
    expect(part(page, 1, 'comment-hide')).not.toBeNull();
  });

  it('that could not be taken off say that viewers still see them, with another try', async () => {
    const fake = new FakeStudio(sample('trouble'));
    const page = feed(fake.view.comments, {}, fake);
    expect(page.get('failure-hide').textContent).toContain('观众还看得到它');
    await fireEvent.click(page.get('retry-hide'));
    expect(fake.asked).toEqual([{ command: 'retry_intent', args: ['i10'] }]);
    expect(page.get('comments-behind').textContent).toContain('没跟上');
  });

  it('do not move the row that is being read', async () => {
    const comments = sample().comments;
    const page = feed(comments);
    const more = { ...comments, rows: [written('new', '新的'), ...comments.rows] };
    await fireEvent.pointerMove(page.get('comment-list'));
    await page.rerender({ comments: more });
    expect(ids(page)[0]).toBe('m1');
    expect(page.get('comments-waiting').textContent).toBe('1 条新评论');
    await fireEvent.click(page.get('comments-waiting'));
    expect(ids(page)[0]).toBe('new');
    await fireEvent.pointerMove(page.get('comment-list'));
    await page.rerender({ comments: { ...more, rows: [written('newer', '更新的'), ...more.rows] } });
    expect(ids(page)[0]).toBe('new');
    await page.rerender({ now: NOW + READING_MS });
    expect(ids(page)[0]).toBe('newer');
  });

  it('are found in the whole database and paged', async () => {
    const fake = new FakeStudio(sample());
    fake.pageRows = 4;
    const page = feed(fake.view.comments, {}, fake);
    await fireEvent.click(page.get('comments-older'));
    await vi.waitFor(() => expect(ids(page).length).toBe(13));
    expect(ids(page).slice(8, 10)).toEqual(['m9', 'oldm0']);
    await fireEvent.input(page.get('comment-search'), { target: { value: '盖碗' } });
    await vi.waitFor(() => expect(ids(page)).toEqual(['m2', 'oldm1']));
    expect(fake.asked.at(-1)?.args).toEqual(['盖碗', null]);
    await fireEvent.input(page.get('comment-search'), { target: { value: '没有的' } });
    await vi.waitFor(() => expect(page.get('comments-none').textContent).toContain('没有找到'));
    await fireEvent.keyDown(page.get('comment-search'), { key: 'Escape' });
    await vi.waitFor(() => expect(ids(page)[0]).toBe('m1'));
  });

  it('say where they cannot be seen and what to do instead', () => {
    const little = new FakeStudio(sample('little'));
    const page = feed(little.view.comments, { destinations: little.view.destinations }, little);
    expect(page.get('comments-away').textContent).toContain('视频号、抖音的评论看不到');
    expect(page.get('comments-away').textContent).toContain('请用手机看');
    expect(page.get('comments-away').textContent).not.toContain('快手');
    expect(page.get('comments-unable').textContent).toBe('半山茶器 没有开放评论接口，请用手机看。');
    expect(page.find('comment-search')).toBeNull();
    expect(page.get('comments-empty').textContent).toContain('评论在这里看不到');
    page.unmount();
    const quiet = feed({ ...sample('idle').comments }, { live: false });
    expect(quiet.get('comments-empty').textContent).toContain('把观看页发给观众');
    expect(quiet.find('comments-away')).toBeNull();
  });
});
