// The loop that brings pictures of the program onto the canvas. One request in flight, newest wins, drawn in step with
// the screen: a page that cannot keep up asks for less.

import type { Frame } from '$lib/ipc/client';

/** What the picture is doing. */
export type PreviewState = 'waiting' | 'running' | 'lost';

/** A decoded picture. */
export interface Drawable {
  width: number;
  height: number;
  close(): void;
}

/** What the loop needs of the page; tests give their own. */
export interface PreviewDoors<P extends Drawable> {
  /** The newest picture other than `after`; `null` when none came in time. */
  next(after: number, signal: AbortSignal): Promise<Frame | null>;
  decode(jpeg: Blob): Promise<P>;
  draw(picture: P, seq: number): void;
  /** Calls back before the screen is painted. */
  beforePaint(call: () => void): void;
  wait(ms: number, signal: AbortSignal): Promise<void>;
  state(state: PreviewState): void;
}

const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 4_000;

/** Runs until the signal fires. */
export async function runPreview<P extends Drawable>(doors: PreviewDoors<P>, signal: AbortSignal): Promise<void> {
  let after = 0;
  let wait = FIRST_WAIT_MS;
  let drawn: Promise<void> = Promise.resolve();
  let state: PreviewState | null = null;
  const say = (next: PreviewState) => {
    if (state !== next) doors.state((state = next));
  };
  say('waiting');
  while (!signal.aborted) {
    try {
      const frame = await doors.next(after, signal);
      if (signal.aborted) return;
      if (!frame) {
        say('waiting');
        continue;
      }
      const picture = await doors.decode(frame.jpeg);
      // The next request starts while this one waits for the screen, but never two ahead of it.
      await drawn;
      if (signal.aborted) {
        picture.close();
        return;
      }
      drawn = new Promise((done) => {
        doors.beforePaint(() => {
          if (!signal.aborted) {
            doors.draw(picture, frame.seq);
            say('running');
          }
          picture.close();
          done();
        });
      });
      after = frame.seq;
      wait = FIRST_WAIT_MS;
    } catch {
      if (signal.aborted) return;
      say('lost');
      await doors.wait(wait, signal);
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }
}

/** A pause that the signal ends early. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(end, ms);
    function end() {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      done();
    }
    signal.addEventListener('abort', end);
  });
}
