import { beforeEach, describe, expect, it, vi } from 'vitest';
import { words } from '../../lib/i18n/storefront';
import { NoAnswer, Refusal } from './api';
import { Comments, KEPT_MOST, OVER_MS, type CommentDoor } from './comments.svelte';
import type { Comment } from './wire';

const comment = (id: string, atMs: number, more: Partial<Comment> = {}): Comment => ({ id, author: '云**', text: `${id} 说`, atMs, isQuestion: false, ...more });
const ids = (list: readonly Comment[]) => list.map((c) => c.id);

function open(door: Partial<CommentDoor> = {}) {
  const clock = { now: 1_000 };
  const asked: { key: string; text: string; name: string | undefined }[] = [];
  const whole: CommentDoor = {
    comments: async () => [],
    comment: async (key, form) => {
      asked.push({ key, text: form.text, name: form.name });
      return comment(`c${asked.length}`, 50, { text: form.text });
    },
    ...door,
  };
  const comments = new Comments(whole, async () => undefined, () => clock.now);
  return { comments, clock, asked };
}

describe('comments of the room', () => {
  beforeEach(() => localStorage.clear());

  it('come once each, in the order they were written, and leave when they are hidden', async () => {
    const { comments } = open({ comments: async () => [comment('a', 1), comment('b', 2)] });
    await comments.load();
    comments.apply('comment', comment('b', 2));
    comments.apply('comment', comment('d', 4));
    comments.apply('comment', comment('c', 3));
    expect(ids(comments.list)).toEqual(['a', 'b', 'c', 'd']);
    comments.apply('comment_hidden', { id: 'b', hidden: true });
    // One that was hidden before this page heard of it, one that comes late, and nonsense.
    comments.apply('comment', { id: 'x', hidden: true });
    comments.apply('comment', comment('b', 2));
    for (const bad of [null, 7, {}, { id: 'y' }, { id: 3, text: 'x' }]) comments.apply('comment', bad);
    comments.apply('sold', comment('z', 9));
    expect(ids(comments.list)).toEqual(['a', 'c', 'd']);
    await comments.load();
    expect(ids(comments.list)).not.toContain('b');
    for (let n = 0; n < KEPT_MOST + 50; n++) comments.apply('comment', comment(`n${n}`, 100 + n));
    expect(comments.list.length).toBe(KEPT_MOST);
  });

  it('lie over the picture for a while, the last three, and not those from before', async () => {
    const { comments, clock } = open({ comments: async () => [comment('old', 1)] });
    await comments.load();
    expect(comments.over()).toEqual([]);
    for (const n of [1, 2, 3, 4]) comments.apply('comment', comment(`n${n}`, 10 + n));
    expect(ids(comments.over())).toEqual(['n2', 'n3', 'n4']);
    clock.now += OVER_MS - 1;
    comments.apply('comment', comment('n5', 20));
    clock.now += 1;
    expect(ids(comments.over())).toEqual(['n5']);
  });

  it('are sent once with one key, however often no answer comes', async () => {
    let tries = 0;
    const keys = new Set<string>();
    const { comments } = open({
      comment: async (key, form) => {
        keys.add(key);
        if (++tries < 5) throw new NoAnswer('cut');
        return comment('mine', 5, { text: form.text });
      },
    });
    comments.text = ' 多少钱 ';
    expect(await comments.send()).toBe(false);
    expect(tries).toBe(3);
    expect(comments.note?.(words('zh-CN'), 'zh-CN')).toBe(words('zh-CN').refused.no_answer);
    expect(comments.text).toBe(' 多少钱 ');
    expect(await comments.send()).toBe(true);
    expect(keys.size).toBe(1);
    expect([comments.text, comments.note, comments.mine.has('mine')]).toEqual(['', null, true]);
    comments.apply('comment', comment('mine', 5));
    expect(ids(comments.list)).toEqual(['mine']);
    comments.text = '再说一句';
    await comments.send();
    expect(keys.size).toBe(2);
  });

  it('say in both languages why one was refused, and keep what was typed', async () => {
    const refusals: [string, Record<string, unknown>, string, string][] = [
      ['too_fast', { retryAfterMs: 1_200 }, '发得太快了，2 秒后再发。', 'Too fast. Send it again in 2 seconds.'],
      ['too_fast', {}, '发得太快了，1 秒后再发。', 'Too fast. Send it again in a second.'],
      ['invalid', { field: 'text', rule: 'too_long' }, '太长了，最多 200 个字。', 'Too long: 200 characters at most.'],
      ['invalid', { field: 'text', rule: 'control' }, '里面有看不见的符号，请重新打一遍。', 'It holds invisible characters. Type it again.'],
      ['invalid', { field: 'name', rule: 'control' }, '称呼里有看不见的符号，请重新打一遍。', 'The name holds invisible characters. Type it again.'],
      ['something_new', {}, words('zh-CN').refused.other, words('en').refused.other],
    ];
    for (const [code, params, zh, en] of refusals) {
      const { comments } = open({ comment: () => Promise.reject(new Refusal(400, code, params)) });
      comments.text = 'x';
      expect(await comments.send()).toBe(false);
      expect([comments.note?.(words('zh-CN'), 'zh-CN'), comments.note?.(words('en'), 'en')]).toEqual([zh, en]);
      expect(comments.text).toBe('x');
    }
    const { comments, asked } = open();
    comments.text = '  ';
    expect(await comments.send()).toBe(false);
    expect([comments.note?.(words('en'), 'en'), asked.length]).toEqual(['Write something first.', 0]);
  });

  it('remember the name, and send none where there is none', async () => {
    const { comments, asked } = open();
    comments.text = 'a';
    await comments.send();
    comments.text = 'b';
    comments.name = ' 云朵 ';
    await comments.send();
    expect(asked.map((a) => a.name)).toEqual([undefined, '云朵']);
    expect(open().comments.name).toBe('云朵');
  });

  it('do nothing while one is on its way', async () => {
    let answer: (c: Comment) => void = () => undefined;
    const door = vi.fn(() => new Promise<Comment>((done) => (answer = done)));
    const { comments } = open({ comment: door });
    comments.text = 'a';
    const first = comments.send();
    expect(await comments.send()).toBe(false);
    // Hidden by the seller before the answer is here.
    comments.apply('comment_hidden', { id: 'c', hidden: true });
    answer(comment('c', 1));
    expect(await first).toBe(true);
    expect([door.mock.calls.length, comments.list.length]).toEqual([1, 0]);
  });
});
