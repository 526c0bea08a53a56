// Server-sent events over fetch. The browser's own EventSource gives up for good on an answer like 503, hides the
// keep-alive comments (a dead Wi-Fi link looks like silence for minutes), and cannot be told where to go on.

export interface Message {
  id: string | null;
  event: string;
  data: string;
}

/** Splits a stream of text into messages; a comment counts as life only. */
export function parser(): (chunk: string) => Message[] {
  let rest = '';
  let id: string | null = null;
  let event = '';
  let lines: string[] = [];
  return (chunk) => {
    const messages: Message[] = [];
    const parts = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = parts.pop() ?? '';
    for (const line of parts) {
      if (line === '') {
        if (lines.length > 0) messages.push({ id, event: event || 'message', data: lines.join('\n') });
        id = null;
        event = '';
        lines = [];
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue;
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') lines.push(value);
      else if (field === 'event') event = value;
      else if (field === 'id' && !value.includes('\0')) id = value;
    }
    return messages;
  };
}

export interface FollowOptions {
  url: string;
  /** Number of the last event that is known, asked at every attempt. */
  after: () => number;
  onMessage: (message: Message) => void;
  /** True once the stream stands, false when it is lost. */
  onLink: (up: boolean) => void;
}

/** The shop says at least every 10 s that it is alive. */
const SILENCE_MS = 25_000;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;

/** Follows the stream until the returned function is called: comes back by itself, from where it stood. */
export function follow({ url, after, onMessage, onLink }: FollowOptions): () => void {
  const stop = new AbortController();
  void (async () => {
    let waitMs = FIRST_WAIT_MS;
    while (!stop.signal.aborted) {
      const attempt = new AbortController();
      const abort = (): void => attempt.abort();
      stop.signal.addEventListener('abort', abort);
      let silence = setTimeout(abort, SILENCE_MS);
      try {
        const headers = { Accept: 'text/event-stream', 'Last-Event-ID': String(after()) };
        const answer = await fetch(url, { headers, cache: 'no-store', signal: attempt.signal });
        if (!answer.ok || !answer.body) throw new Error(`status ${answer.status}`);
        onLink(true);
        waitMs = FIRST_WAIT_MS;
        const parse = parser();
        const text = new TextDecoder();
        const reader = answer.body.getReader();
        for (;;) {
          const { done, value } = await reader.read();
          if (done) break;
          clearTimeout(silence);
          silence = setTimeout(abort, SILENCE_MS);
          for (const message of parse(text.decode(value, { stream: true }))) onMessage(message);
        }
      } catch {
        // Whatever it was, the answer is the same: say so and come back.
      } finally {
        clearTimeout(silence);
        stop.signal.removeEventListener('abort', abort);
        attempt.abort();
      }
      if (stop.signal.aborted) return;
      onLink(false);
      await pause(waitMs * (0.75 + Math.random() / 2), stop.signal);
      waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
    }
  })();
  return () => stop.abort();
}

/** Waits; ends early when the network is said to be back or it is cancelled. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      removeEventListener('online', end);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    addEventListener('online', end);
    signal?.addEventListener('abort', end);
  });
}
