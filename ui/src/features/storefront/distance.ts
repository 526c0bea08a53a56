/** Two parts and a little: the part that is being fetched and the one that plays. Seconds. */
const LEAST = 1.2;
/** More is the distance of a player that knows no parts. */
const MOST = 3;
const FURTHER = 0.4;
const NEARER = 0.2;
/** So long without a stop, and it is worth a try to come nearer. */
const CALM_MS = 20_000;

/** How far behind the live edge the picture is held: further after each stop, nearer again when nothing stops. */
export class Distance {
  seconds = LEAST;
  private sinceMs = 0;

  stalled(nowMs: number): void {
    this.seconds = Math.min(this.seconds + FURTHER, MOST);
    this.sinceMs = nowMs;
  }

  look(nowMs: number): number {
    if (this.seconds > LEAST && nowMs - this.sinceMs >= CALM_MS) {
      this.seconds = Math.max(this.seconds - NEARER, LEAST);
      this.sinceMs = nowMs;
    }
    return this.seconds;
  }
}
