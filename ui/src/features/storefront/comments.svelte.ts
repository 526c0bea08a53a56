import type { Lang, Words } from '../../lib/i18n/storefront';
import { NoAnswer, Refusal } from './api';
import { keep, kept, randomId } from './keep';
import type { Comment, CommentForm } from './wire';

/** A sentence that follows the language of the page. */
type Say = (w: Words, lang: Lang) => string;

/** Longest comment and longest name, characters. */
export const TEXT_MOST = 200;
export const NAME_MOST = 24;
/** The page keeps so many; older ones were seen. */
export const KEPT_MOST = 200;
/** Over the picture: the last few, each for a while. */
export const OVER_MOST = 3;
export const OVER_MS = 20_000;
/** Tries of one press when no answer comes. The key is the same: it is one comment. */
const TRIES = 3;
const AGAIN_MS = 1_000;

/** What is asked of the shop. */
export interface CommentDoor {
  comments(): Promise<Comment[]>;
  comment(key: string, form: CommentForm): Promise<Comment>;
}

const isText = (value: unknown): value is string => typeof value === 'string';

/** What viewers write, and what this one is writing. */
export class Comments {
  /** Oldest first. */
  list = $state.raw<readonly Comment[]>([]);
  /** Written by this page. */
  mine = $state.raw<ReadonlySet<string>>(new Set());
  text = $state('');
  name = $state(kept('comment-name', isText) ?? '');
  isSending = $state(false);
  /** Why the last press did not work. */
  note = $state.raw<Say | null>(null);

  /** Taken away: it must not come back out of an answer that was under way. */
  private readonly hidden = new Set<string>();
  /** When each came to this page, its own clock: a clock that is wrong elsewhere must not hide it. */
  private readonly cameAtMs = new Map<string, number>();
  /** The key of what is in the box, until the shop has answered it. */
  private draft: { key: string; text: string; name: string } | null = null;

  constructor(
    private readonly door: CommentDoor,
    private readonly pause: (ms: number) => Promise<void>,
    private readonly clock: () => number = Date.now,
  ) {}

  /** Reads what is there. Without an answer what is shown stays: the stream tells the rest. */
  async load(): Promise<void> {
    let read: Comment[];
    try {
      read = await this.door.comments();
    } catch {
      return;
    }
    // What the stream brought meanwhile stays; what was hidden while nobody was told goes.
    const known = new Set(read.map((c) => c.id));
    const oldest = read[0]?.atMs ?? 0;
    this.put([...read, ...this.list.filter((c) => !known.has(c.id) && (c.atMs < oldest || this.isFresh(c)))], false);
  }

  /** Takes an event of the room; what is none of comments changes nothing. */
  apply(kind: string, payload: unknown): void {
    const told = payload as Partial<Comment> & { hidden?: boolean };
    if (typeof told?.id !== 'string') return;
    if (kind === 'comment_hidden' || (kind === 'comment' && told.hidden === true)) this.hide(told.id);
    else if (kind === 'comment' && typeof told.text === 'string') this.put([...this.list.filter((c) => c.id !== told.id), told as Comment], true);
  }

  /** The last ones, for the picture. */
  over(): readonly Comment[] {
    return this.list.slice(-OVER_MOST).filter((c) => this.isFresh(c));
  }

  /** Sends what is in the box, once however often it is pressed. True if everybody sees it now. */
  async send(): Promise<boolean> {
    const [text, name] = [this.text.trim(), this.name.trim()];
    if (this.isSending) return false;
    if (text === '') {
      this.note = (w) => w.comment.fault.empty;
      return false;
    }
    keep('comment-name', name);
    if (this.draft?.text !== text || this.draft.name !== name) this.draft = { key: randomId(), text, name };
    this.isSending = true;
    this.note = null;
    try {
      const posted = await this.post(this.draft.key, name === '' ? { text } : { text, name });
      this.draft = null;
      this.text = '';
      this.mine = new Set([...this.mine, posted.id]);
      if (!this.hidden.has(posted.id)) this.put([...this.list.filter((c) => c.id !== posted.id), posted], true);
      return true;
    } catch (error) {
      this.note = why(error);
      return false;
    } finally {
      this.isSending = false;
    }
  }

  private async post(key: string, form: CommentForm): Promise<Comment> {
    for (let tries = 1; ; tries++) {
      try {
        return await this.door.comment(key, form);
      } catch (error) {
        if (!(error instanceof NoAnswer) || tries === TRIES) throw error;
        await this.pause(AGAIN_MS);
      }
    }
  }

  private hide(id: string): void {
    this.hidden.add(id);
    this.cameAtMs.delete(id);
    this.list = this.list.filter((c) => c.id !== id);
  }

  private put(list: readonly Comment[], isNew: boolean): void {
    const shown = list.filter((c) => !this.hidden.has(c.id));
    this.list = [...shown].sort((a, b) => a.atMs - b.atMs).slice(-KEPT_MOST);
    const kept = new Set(this.list.map((c) => c.id));
    for (const id of this.cameAtMs.keys()) if (!kept.has(id)) this.cameAtMs.delete(id);
    // Those that were there before the page opened are not news.
    for (const { id } of this.list) if (!this.cameAtMs.has(id)) this.cameAtMs.set(id, isNew ? this.clock() : Number.NEGATIVE_INFINITY);
  }

  private isFresh({ id }: Comment): boolean {
    return this.clock() - (this.cameAtMs.get(id) ?? Number.NEGATIVE_INFINITY) < OVER_MS;
  }
}

function why(error: unknown): Say {
  if (!(error instanceof Refusal)) return (w) => w.refused.no_answer;
  const { code, params } = error;
  if (code === 'too_fast') {
    const seconds = Math.max(1, Math.ceil(Number(params.retryAfterMs) / 1_000) || 1);
    return (w) => w.comment.tooFast(seconds);
  }
  if (code === 'invalid') {
    const { field, rule } = params;
    if (field === 'name') return (w) => (rule === 'too_long' ? w.comment.nameFault.too_long : w.comment.nameFault.control);
    if (rule === 'empty' || rule === 'too_long' || rule === 'control') return (w) => w.comment.fault[rule];
  }
  return (w) => w.refused.other;
}
