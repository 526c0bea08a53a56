// Comments of the studio inside the page. Development only, as fake.ts.

import type { CommentRowView, CommentsView } from './bindings';

type Said = [author: string, text: string, english: string, ago: number, question?: boolean];
const SAID: Said[] = [
  ['云**', '1 号还有吗？多少钱', 'Is number 1 still there? How much', 6, true],
  ['H***o', '盖碗烫手吗', 'does the gaiwan get hot', 13, true],
  ['青**', '上次买的杯子很喜欢', 'love the cup I bought last time', 27],
  ['刘**', '3 号拍了，什么时候发货', 'ordered number 3, when does it ship', 38, true],
  ['n***7', '主播手好稳', 'such steady hands', 56],
  ['', '这个釉色太美了', 'this glaze is so beautiful', 70],
  ['w***3', '可以送礼盒吗', 'can it come in a gift box', 88, true],
  ['阿**', '领到券了', 'got the coupon', 97],
  ['周**', '1 号是今年的新茶吗', 'is number 1 from this year', 113, true],
];

/** What viewers wrote, as it may stand in the middle of a show. */
export function sampleComments(mode: string, english: boolean, now: number, shop: string): CommentsView {
  const live = mode === 'live' || mode === 'trouble';
  const row = ([author, text, en, ago, isQuestion = false]: Said, i: number): CommentRowView => ({
    id: `m${i + 1}`,
    connectionId: 'local',
    connection: shop,
    fromElsewhere: false,
    author,
    text: english ? en : text,
    kind: 'chat',
    isQuestion,
    isHidden: mode === 'trouble' && i === 2,
    atMs: now - ago * 1000,
    hide: mode === 'trouble' && i === 4 ? { kind: 'failed', code: 'unreachable', params: {}, intentId: 'i10' } : mode === 'trouble' && i === 2 ? { kind: 'confirmed', atMs: now - 20_000 } : null,
  });
  const rows = live ? SAID.map(row) : [];
  return {
    rows,
    next: live ? '0' : null,
    total: live ? 36 : 0,
    inShow: live ? 36 : 0,
    seal: mode === 'trouble' ? { kind: 'behind', upToMs: now - 43_000, connections: [shop] } : live || mode === 'idle' ? { kind: 'complete', upToMs: now - 2_000 } : { kind: 'unknown' },
    reading: null,
  };
}

/** The comment of this id, put before the host. */
export function reading(comments: CommentsView, id: string): CommentsView {
  const comment = comments.rows.find((row) => row.id === id);
  return comment ? { ...comments, reading: { comment, untilMs: Date.now() + 60_000 } } : comments;
}

/** With one of its rows changed. */
export function changed(comments: CommentsView, id: string, change: Partial<CommentRowView>): CommentsView {
  return { ...comments, rows: comments.rows.map((row) => (row.id === id ? { ...row, ...change } : row)) };
}
