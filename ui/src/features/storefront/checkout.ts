// One checkout is one order. Its key is made before the first press and kept, over reloads too, until an order answers
// to it: whatever is sent twice carries the same key. When no answer came, the shop is asked what became of the key;
// nothing is ever sent again by itself.

import { type Api, NoAnswer, Refusal } from './api';
import { keep, kept, randomId } from './keep';
import type { Order, OrderForm } from './wire';

/** What is kept: the key, and since when an answer is missing. */
interface Attempt {
  key: string;
  /** Null while nothing is on its way. */
  sentAtMs: number | null;
  /** The cart shall be emptied here once the order stands. */
  fromCart: boolean;
}

export type Outcome =
  | { kind: 'placed'; order: Order; fromCart: boolean }
  | { kind: 'refused'; refusal: Refusal }
  /** The shop says no such order exists. */
  | { kind: 'not_placed' };

/** The shop is certainly done with a request by then, whichever way. */
const SETTLED_MS = 12_000;
const FIRST_LOOK_MS = 500;
const LONGEST_LOOK_MS = 5_000;

const isAttempt = (value: unknown): value is Attempt => {
  const v = value as Partial<Attempt> | null;
  return typeof v?.key === 'string' && v.key !== '' && (v.sentAtMs === null || typeof v.sentAtMs === 'number');
};

export interface CheckoutOptions {
  api: Pick<Api, 'place' | 'placed'>;
  /** An answer is missing and is being asked for. */
  onChecking: () => void;
  now?: () => number;
  wait: (ms: number) => Promise<void>;
}

export class Checkout {
  private attempt: Attempt | null = kept('checkout', isAttempt);
  private readonly now: () => number;

  constructor(private readonly options: CheckoutOptions) {
    this.now = options.now ?? Date.now;
  }

  /** Did the page go away while an answer was missing? */
  get isOpen(): boolean {
    return this.attempt !== null && this.attempt.sentAtMs !== null;
  }

  /** Sends the form once. Call it again only after it has returned. */
  async place(form: OrderForm): Promise<Outcome> {
    if (this.isOpen) return this.resume();
    const key = this.attempt?.key ?? randomId();
    this.save({ key, sentAtMs: this.now(), fromCart: form.cartId !== undefined });
    try {
      return this.answered(await this.options.api.place(key, form));
    } catch (error) {
      if (!(error instanceof Refusal)) return this.resume();
      // Somebody, another tab perhaps, got an order with this key.
      if (error.code === 'idempotency_mismatch') return this.resume();
      this.save({ key, sentAtMs: null, fromCart: false });
      return { kind: 'refused', refusal: error };
    }
  }

  /** Asks until it is known what became of what was sent. */
  async resume(): Promise<Outcome> {
    const attempt = this.attempt;
    if (!attempt || attempt.sentAtMs === null) return { kind: 'not_placed' };
    this.options.onChecking();
    let waitMs = FIRST_LOOK_MS;
    for (;;) {
      try {
        const order = await this.options.api.placed(attempt.key);
        if (order) return this.answered(order);
        // A clock that was set back must not keep the buyer for ever.
        const age = this.now() - attempt.sentAtMs;
        if (age >= SETTLED_MS || age < 0) {
          this.save({ ...attempt, sentAtMs: null });
          return { kind: 'not_placed' };
        }
      } catch (error) {
        if (!(error instanceof NoAnswer)) throw error;
      }
      await this.options.wait(waitMs);
      waitMs = Math.min(waitMs * 2, LONGEST_LOOK_MS);
    }
  }

  private answered(order: Order): Outcome {
    const fromCart = this.attempt?.fromCart ?? false;
    this.save(null);
    return { kind: 'placed', order, fromCart };
  }

  private save(attempt: Attempt | null): void {
    this.attempt = attempt;
    keep('checkout', attempt);
  }
}
