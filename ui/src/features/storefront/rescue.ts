/** What is to be done now; nothing is in most answers. */
export interface Step {
  /** Tell the player that is there to load again. */
  load?: true;
  /** Ask the shop for the list, after so long. */
  askInMs?: number;
  /** Throw away the player and its last frame, and open anew. */
  reopen?: true;
}

/** A list came: so long the player that is there may take to move again. */
const TRY_MS = 6_000;
/** One that cannot be told to load may still mend itself. */
const TRY_UNTOLD_MS = 1_000;
/** Told so recently, it is not told again. */
const TOLD_MS = 2_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 5_000;
/** The list comes and does not grow: nothing is wrong here. */
const STANDS_WAIT_MS = 2_000;

/**
 * A picture that stopped keeps its last frame until a better one is in sight. The player is told to load again, and the
 * shop is asked for the list. Only when a list that grows did not make the picture move is it opened anew.
 */
export class Rescue {
  private phase: 'none' | 'asking' | 'trying' = 'none';
  /** The player gave up since it was told. */
  private hasStopped = false;
  private toldMs = Number.NEGATIVE_INFINITY;
  /** The last list. */
  private list: string | null = null;
  /** The player had its time after a list came. */
  private wasTried = false;
  private failures = 0;
  private untilMs = 0;

  /** `canLoad`: the player can be told to load again. */
  constructor(private readonly canLoad: boolean) {}

  get isOn(): boolean {
    return this.phase !== 'none';
  }

  /** The player gave up, or the picture has stood for long. */
  trouble(hasStopped: boolean, nowMs: number): Step {
    if (hasStopped) this.hasStopped = true;
    if (this.phase === 'none') return this.begin(nowMs);
    // What fails as soon as it is told is not told at once: it would go round and round.
    if (this.phase === 'trying' && hasStopped) this.untilMs = Math.min(this.untilMs, nowMs + FIRST_WAIT_MS);
    return {};
  }

  /** Asked often; `isMoving`: the picture moved since the last time. */
  look(isMoving: boolean, nowMs: number): Step {
    if (isMoving && !this.hasStopped) {
      this.phase = 'none';
    } else if (this.phase === 'trying' && nowMs >= this.untilMs) {
      // What is left of the buffer still plays: nobody is to lose it.
      if (isMoving) return this.begin(nowMs);
      this.wasTried = true;
      return this.ask(0);
    }
    return {};
  }

  /** The list, or null if none came. */
  answered(list: string | null, nowMs: number): Step {
    if (this.phase !== 'asking') return {};
    if (list === null) {
      // Whatever was tried before was tried without a network.
      this.forget();
      this.failures += 1;
      return this.ask(Math.min(FIRST_WAIT_MS * 2 ** (this.failures - 1), LONGEST_WAIT_MS));
    }
    this.failures = 0;
    if (list === this.list) {
      this.wasTried = false;
      return this.ask(STANDS_WAIT_MS);
    }
    if (this.wasTried) {
      this.phase = 'none';
      return { reopen: true };
    }
    this.list = list;
    this.phase = 'trying';
    this.untilMs = nowMs + (this.canLoad ? TRY_MS : TRY_UNTOLD_MS);
    return this.hasStopped || nowMs - this.toldMs >= TOLD_MS ? this.tell(nowMs) : {};
  }

  /** The network is said to be back: what was to be asked later is asked now. */
  online(nowMs: number): Step {
    if (this.phase === 'none') return this.begin(nowMs);
    this.failures = 0;
    return this.phase === 'asking' ? this.ask(0) : {};
  }

  private begin(nowMs: number): Step {
    this.forget();
    this.failures = 0;
    return { ...this.tell(nowMs), ...this.ask(0) };
  }

  private forget(): void {
    this.list = null;
    this.wasTried = false;
  }

  private ask(askInMs: number): Step {
    this.phase = 'asking';
    return { askInMs };
  }

  private tell(nowMs: number): Step {
    if (!this.canLoad) return {};
    this.hasStopped = false;
    this.toldMs = nowMs;
    return { load: true };
  }
}
