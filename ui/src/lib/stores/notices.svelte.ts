// Refused commands, said once near the stage until they are read.

import { asUiError } from '$lib/ipc/client';
import type { UiError } from '$lib/ipc/bindings';

/** One refusal. */
export interface Notice {
  id: number;
  error: UiError;
}

const MOST = 3;
/** A refusal leaves by itself after this long, ms. */
export const NOTICE_MS = 12_000;

/** The list. */
export class Notices {
  list = $state.raw<Notice[]>([]);
  #next = 1;

  /** Adds what was thrown; the same code replaces its elder. */
  push(thrown: unknown): void {
    const notice = { id: this.#next++, error: asUiError(thrown) };
    this.list = [...this.list.filter((n) => n.error.code !== notice.error.code), notice].slice(-MOST);
    setTimeout(() => this.dismiss(notice.id), NOTICE_MS);
  }

  /** Removes one. */
  dismiss(id: number): void {
    this.list = this.list.filter((n) => n.id !== id);
  }
}
