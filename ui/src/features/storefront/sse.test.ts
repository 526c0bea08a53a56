import { afterEach, describe, expect, it, vi } from 'vitest';
import { follow, parser, type Message } from './sse';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('the parser', () => {
  it('reads what the shop writes, whatever the pieces', () => {
    const text = 'retry: 1000\n\nid: 12\nevent: pin\ndata: {"a":1}\n\n: keep-alive\n\nevent: viewers\ndata: {"count":3}\n\n';
    const whole = parser()(text);
    expect(whole).toEqual([
      { id: '12', event: 'pin', data: '{"a":1}' },
      { id: null, event: 'viewers', data: '{"count":3}' },
    ]);
    const parse = parser();
    expect([...text].flatMap((c) => parse(c))).toEqual(whole);
  });

  it('knows every end of line and joins data', () => {
    expect(parser()('data: a\r\ndata:b\rdata\n\n')).toEqual([{ id: null, event: 'message', data: 'a\nb\n' }]);
  });
});

describe('following', () => {
  function body(chunks: string[], endless = false): ReadableStream<Uint8Array> {
    return new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
        if (!endless) controller.close();
      },
    });
  }

  it('comes back from where it stood, also after a refusal', async () => {
    const answers = [
      () => new Response(body(['id: 5\nevent: pin\ndata: {}\n\n'])),
      () => new Response('{}', { status: 503 }),
      () => new Response(body(['id: 6\nevent: unpin\ndata: {}\n\n'], true)),
    ];
    const asked: string[] = [];
    vi.stubGlobal('fetch', async (_: string, init: RequestInit) => {
      asked.push((init.headers as Record<string, string>)['Last-Event-ID'] ?? '');
      const next = answers.shift();
      if (!next) throw new Error('asked too often');
      return next();
    });
    vi.useFakeTimers();
    const links: boolean[] = [];
    const got: Message[] = [];
    let seq = 4;
    const stop = follow({
      url: '/events',
      after: () => seq,
      onMessage: (message) => {
        got.push(message);
        seq = Number(message.id);
      },
      onLink: (up) => links.push(up),
    });
    await vi.advanceTimersByTimeAsync(5_000);
    expect(got.map((m) => m.event)).toEqual(['pin', 'unpin']);
    expect(asked).toEqual(['4', '5', '5']);
    expect(links).toEqual([true, false, false, true]);
    stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked.length).toBe(3);
  });

  it('takes silence for a dead link', async () => {
    vi.useFakeTimers();
    let opened = 0;
    vi.stubGlobal('fetch', async (_: string, init: RequestInit) => {
      opened += 1;
      const stream = new ReadableStream({
        start(controller) {
          init.signal?.addEventListener('abort', () => controller.error(new Error('aborted')));
        },
      });
      return new Response(stream);
    });
    const links: boolean[] = [];
    const stop = follow({ url: '/events', after: () => 0, onMessage: () => undefined, onLink: (up) => links.push(up) });
    await vi.advanceTimersByTimeAsync(24_000);
    expect(opened).toBe(1);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(links.slice(0, 2)).toEqual([true, false]);
    expect(opened).toBe(2);
    stop();
  });
});
