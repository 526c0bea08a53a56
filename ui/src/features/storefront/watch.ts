/** What a stopped picture means. */
export type Verdict = 'moving' | 'stalled' | 'dead';

/** Shorter stops are not worth a word. */
const STALLED_MS = 1_500;
/** After so long nothing comes of waiting alone. */
const DEAD_MS = 12_000;

/** Watches the position of the player: the only sign of life that no browser gets wrong. */
export class Watch {
  /** Whether the last look saw it move. */
  hasMoved = false;
  private position = -1;
  private movedAtMs: number;

  constructor(nowMs: number) {
    this.movedAtMs = nowMs;
  }

  look(position: number, nowMs: number): Verdict {
    this.hasMoved = position !== this.position;
    if (this.hasMoved) {
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
