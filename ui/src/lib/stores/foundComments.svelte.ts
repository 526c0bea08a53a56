// Comments beyond the newest ones: what a search finds in the whole database, and older pages.

import type { CommentPageView, CommentRowView, CommentsView } from '$lib/ipc/bindings';
import { TYPING_MS } from './found.svelte';
import { rowKey } from './orders';

/** How the program is asked for a page. */
export type AskComments = (text: string, after: string | null) => Promise<CommentPageView>;

/** Pages of one question. The newest rows of the program are laid over them, so that no row shows an old state. */
export class FoundComments {
  /** A page is on its way. */
  busy = $state(false);
  #text = $state('');
  /** What the pages answer; `null` before the first answer. */
  #answered = $state.raw<string | null>(null);
  #rows = $state.raw<CommentRowView[]>([]);
  #next = $state.raw<string | null>(null);
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly ask: AskComments,
    private readonly failed: (thrown: unknown) => void,
  ) {}

  /** Something was typed that is asked for. */
  get searching(): boolean {
    return this.#text !== '';
  }

  /** The rows answer what stands in the box now. */
  get answered(): boolean {
    return this.#answered === this.#text;
  }

  /** The box changed. Typing is waited for. */
  want(text: string): void {
    const trimmed = text.trim();
    if (trimmed === this.#text) return;
    this.#text = trimmed;
    clearTimeout(this.#timer);
    this.#turn++;
    this.busy = false;
    // While somebody types on, the last answer stays where it is.
    if (trimmed === '' || this.#answered === '') {
      this.#answered = null;
      this.#rows = [];
      this.#next = null;
    }
    if (trimmed === '') return;
    this.busy = true;
    this.#timer = setTimeout(() => void this.#load(null), TYPING_MS);
  }

  /** Comments came or changed: what is shown is asked for again, without moving it. */
  refresh(): void {
    if (this.searching && this.answered && !this.busy) void this.#load(null);
  }

  /** Is there more behind what {@link list} shows? */
  more(comments: CommentsView): boolean {
    if (this.#answered !== null) return this.answered && this.#next !== null;
    return !this.searching && comments.next !== null;
  }

  /** Adds the next page. */
  async older(comments: CommentsView): Promise<void> {
    if (!this.busy && this.more(comments)) await this.#load(this.#answered === null ? comments.next : this.#next);
  }

  /** The rows to show. */
  list(comments: CommentsView): CommentRowView[] {
    if (this.#answered === null) return this.searching ? [] : comments.rows;
    const live = new Map(comments.rows.map((row) => [rowKey(row), row]));
    const found = this.#rows.map((row) => live.get(rowKey(row)) ?? row);
    return this.searching ? found : [...comments.rows, ...this.#rows.filter((row) => !live.has(rowKey(row)))];
  }

  async #load(after: string | null): Promise<void> {
    const turn = ++this.#turn;
    const question = this.#text;
    this.busy = true;
    try {
      const page = await this.ask(question, after);
      if (turn !== this.#turn) return;
      const fresh = new Set(page.rows.map((row) => rowKey(row)));
      // A refreshed first page takes the place of what it covers; pages behind it stay.
      const again = after === null && this.#answered === question && this.#rows.length > page.rows.length;
      if (again) this.#rows = [...page.rows, ...this.#rows.filter((row) => !fresh.has(rowKey(row)))];
      else {
        this.#rows = after === null ? page.rows : [...this.#rows.filter((row) => !fresh.has(rowKey(row))), ...page.rows];
        this.#next = page.next;
      }
      this.#answered = question;
    } catch (thrown) {
      if (turn === this.#turn) this.failed(thrown);
    } finally {
      if (turn === this.#turn) this.busy = false;
    }
  }
}
