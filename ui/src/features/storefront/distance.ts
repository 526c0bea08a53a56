/** Two parts and a little: the part that is being fetched and the one that plays. Seconds. */
const LEAST = 1.2;
/** More is the distance of a player that knows no parts. */
const MOST = 3;
const FURTHER = 0.4;
const NEARER = 0.2;
/** So long without a stop, and it is worth a try to come nearer. */
const CALM_MS = 20_000;
/** A distance that was too near is tried again after twice the calm of the try before, in the end this often. */
const CALM_MOST_MS = 3_600_000;
/** A distance that holds so long is not too near: a later stop has another cause, and an earlier one is forgotten. */
const HELD_MS = 600_000;

/**
 * How far behind the live edge the picture is held: further after each stop, nearer again when nothing stops. It remembers
 * the distance that was too near, or a link that needs more would be stopped by every try, for a whole show: back to
 * where it held it comes soon, nearer than that less and less often.
 */
export class Distance {
  seconds = LEAST;
  /** The last change, and whether it came nearer. */
  private sinceMs = 0;
  private hasApproached = false;
  /** Coming as near as this made it stop. */
  private tooNear = 0;
  private calmMs = CALM_MS;

  stalled(nowMs: number): void {
    if (this.hasApproached && nowMs - this.sinceMs < HELD_MS) {
      this.tooNear = this.seconds;
      this.calmMs = Math.min(this.calmMs * 2, CALM_MOST_MS);
    }
    this.change(tenths(Math.min(this.seconds + FURTHER, MOST)), nowMs);
  }

  look(nowMs: number): number {
    const calm = nowMs - this.sinceMs;
    if (this.seconds <= this.tooNear && calm >= HELD_MS) {
      this.tooNear = 0;
      this.calmMs = CALM_MS;
    }
    const next = tenths(Math.max(this.seconds - NEARER, LEAST));
    if (next < this.seconds && calm >= (next <= this.tooNear ? this.calmMs : CALM_MS)) this.change(next, nowMs);
    return this.seconds;
  }

  private change(seconds: number, nowMs: number): void {
    this.hasApproached = seconds < this.seconds;
    this.seconds = seconds;
    this.sinceMs = nowMs;
  }
}

/** Sums of tenths are not exact, and distances are compared. */
function tenths(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
