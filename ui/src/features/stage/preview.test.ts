import { describe, expect, it, vi } from 'vitest';
import type { Frame } from '$lib/ipc/client';
import { pause, runPreview, type PreviewState } from './preview';

/** A page whose screen and program move only when told. */
function stage() {
  const stop = new AbortController();
  const requests: { after: number; answer: (frame: Frame | null) => void; fail: () => void }[] = [];
  const paints: (() => void)[] = [];
  const waits: { ms: number; over: () => void }[] = [];
  const states: PreviewState[] = [];
  const drawn: number[] = [];
  let open = 0;
  let most = 0;
  const ended = runPreview(
    {
      next: (after) => {
        most = Math.max(most, ++open);
        return new Promise<Frame | null>((done, fail) => {
          requests.push({
            after,
            answer: (frame) => {
              open--;
              done(frame);
            },
            fail: () => {
              open--;
              fail(new Error('gone'));
            },
          });
        });
      },
      decode: async () => ({ width: 1, height: 1, close: vi.fn() }),
      draw: (_picture, seq) => drawn.push(seq),
      beforePaint: (call) => paints.push(call),
      wait: (ms) => new Promise((over) => waits.push({ ms, over })),
      state: (state) => states.push(state),
    },
    stop.signal,
  );
  const turn = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };
  const frame = (seq: number): Frame => ({ seq, jpeg: new Blob() });
  const paint = () => paints.splice(0).forEach((call) => call());
  return { stop, requests, paints, waits, states, drawn, ended, turn, frame, paint, most: () => most };
}

describe('preview', () => {
  it('asks after the last one it got, one request at a time, and draws in step with the screen', async () => {
    const s = stage();
    expect(s.requests.map((r) => r.after)).toEqual([0]);
    s.requests[0]?.answer(s.frame(7));
    await s.turn();
    expect(s.drawn).toEqual([]);
    expect(s.requests.map((r) => r.after)).toEqual([0, 7]);
    s.paint();
    await s.turn();
    expect([s.drawn, s.states]).toEqual([[7], ['waiting', 'running']]);
    expect(s.most()).toBe(1);
    s.stop.abort();
  });

  it('asks for less when the screen falls behind', async () => {
    const s = stage();
    s.requests[0]?.answer(s.frame(1));
    await s.turn();
    s.requests[1]?.answer(s.frame(2));
    await s.turn();
    // The first is not painted yet: the second waits, and nothing more is asked for.
    expect(s.requests.length).toBe(2);
    s.paint();
    await s.turn();
    expect(s.requests.length).toBe(3);
    s.stop.abort();
  });

  it('goes on waiting when no picture came, without a pause', async () => {
    const s = stage();
    s.requests[0]?.answer(null);
    await s.turn();
    expect([s.requests.length, s.waits.length, s.states]).toEqual([2, 0, ['waiting']]);
    s.stop.abort();
  });

  it('tries again more and more slowly, up to four seconds, and quickly after a success', async () => {
    const s = stage();
    for (let i = 0; i < 8; i++) {
      s.requests.at(-1)?.fail();
      await s.turn();
      s.waits.at(-1)?.over();
      await s.turn();
    }
    expect(s.waits.map((w) => w.ms)).toEqual([200, 400, 800, 1600, 3200, 4000, 4000, 4000]);
    expect(s.states).toEqual(['waiting', 'lost']);
    s.requests.at(-1)?.answer(s.frame(1));
    await s.turn();
    s.paint();
    await s.turn();
    s.requests.at(-1)?.fail();
    await s.turn();
    expect(s.waits.at(-1)?.ms).toBe(200);
    expect(s.states).toEqual(['waiting', 'lost', 'running', 'lost']);
    s.stop.abort();
  });

  it('takes numbers that begin again after a restart', async () => {
    const s = stage();
    for (const seq of [900, 1]) {
      s.requests.at(-1)?.answer(s.frame(seq));
      await s.turn();
      s.paint();
      await s.turn();
    }
    expect(s.drawn).toEqual([900, 1]);
    expect(s.requests.at(-1)?.after).toBe(1);
    s.stop.abort();
  });

  it('ends with its page: nothing is drawn or asked for afterwards', async () => {
    const s = stage();
    s.requests[0]?.answer(s.frame(1));
    await s.turn();
    s.stop.abort();
    s.paint();
    s.requests[1]?.answer(s.frame(2));
    await s.ended;
    expect([s.drawn, s.requests.length]).toEqual([[], 2]);
  });

  it('is woken from a pause when the page goes', async () => {
    const stop = new AbortController();
    const paused = pause(60_000, stop.signal);
    stop.abort();
    await paused;
  });
});
