// The time for countdowns and ages, in steps of half a second.

/** Ticks while running. */
export class Clock {
  /** ms UTC. */
  now = $state(Date.now());

  /** Runs until the returned function is called. */
  start(): () => void {
    const timer = setInterval(() => {
      this.now = Date.now();
    }, 500);
    return () => clearInterval(timer);
  }
}
