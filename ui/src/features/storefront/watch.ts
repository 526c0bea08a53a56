/** What a stopped picture means. */
export type Verdict = 'moving' | 'stalled' | 'dead';

/** Shorter stops are not worth a word. */
const STALLED_MS = 1_500;
/** After so long nothing comes of waiting: the stream is opened anew. */
const DEAD_MS = 12_000;

/** Watches the position of the player: the only sign of life that no browser gets wrong. */
export class Watch {
  private position = -1;
  private movedAtMs: number;

  constructor(nowMs: number) {
    this.movedAtMs = nowMs;
  }

  look(position: number, nowMs: number): Verdict {
    if (position !== this.position) {
      this.position = position;
      this.movedAtMs = nowMs;
      return 'moving';
    }
    const still = nowMs - this.movedAtMs;
    return still >= DEAD_MS ? 'dead' : still >= STALLED_MS ? 'stalled' : 'moving';
  }

  /** Begins again, as after a stop that was meant. */
  forgive(nowMs: number): void {
    this.movedAtMs = nowMs;
  }
}
