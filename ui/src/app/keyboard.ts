// Keys of the studio. They act only when no field has the focus, and each is echoed on the screen.

/** Two digits within this time are one number, ms. */
export const DIGITS_MS = 600;

/** What keys can do. */
export interface KeyActions {
  explain(number: number): void;
  next(): void;
  previous(): void;
  mute(): void;
  record(): void;
  tab(tab: 'orders' | 'comments' | 'coupons'): void;
  /** Puts away the comment that was answered; false when there is none. */
  answered(): boolean;
  /** Numbers in the bag: a second digit is waited for only if it can make one of them. */
  numbers(): number[];
}

/** Is somebody typing? */
export function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** `/` goes to the page's search field. */
export function bindSearchKey(event: KeyboardEvent): void {
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const field = document.querySelector<HTMLInputElement>('[data-search]');
  if (field) {
    event.preventDefault();
    field.focus();
  }
}

/** Turns key presses into actions. */
export class Keys {
  #actions: KeyActions;
  #digits = '';
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(actions: KeyActions) {
    this.#actions = actions;
  }

  /** Takes one key press; true if it meant something. */
  press(event: KeyboardEvent): boolean {
    if (typing(event.target) || event.ctrlKey || event.metaKey) return false;
    if (event.altKey) {
      // By place, not by letter: on some systems Alt changes what a digit key types.
      if (event.code === 'Digit1') this.#actions.tab('orders');
      else if (event.code === 'Digit2') this.#actions.tab('comments');
      else if (event.code === 'Digit3') this.#actions.tab('coupons');
      else return false;
      return true;
    }
    if (event.repeat || event.shiftKey) return false;
    if (/^\d$/.test(event.key)) {
      this.#digit(event.key);
      return true;
    }
    switch (event.key) {
      case 'ArrowRight':
        this.#actions.next();
        return true;
      case 'ArrowLeft':
        this.#actions.previous();
        return true;
      case 'Escape':
        return this.#actions.answered();
      case 'm':
      case 'M':
        this.#actions.mute();
        return true;
      case 'r':
      case 'R':
        this.#actions.record();
        return true;
      default:
        return false;
    }
  }

  /** Forgets a digit that waits. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#digits = '';
  }

  #digit(digit: string): void {
    clearTimeout(this.#timer);
    const digits = this.#digits + digit;
    const longer = this.#actions.numbers().some((n) => n > 9 && String(n).length > digits.length && String(n).startsWith(digits));
    if (longer && digits.length < 3) {
      this.#digits = digits;
      this.#timer = setTimeout(() => this.#say(), DIGITS_MS);
    } else {
      this.#digits = digits;
      this.#say();
    }
  }

  #say(): void {
    const digits = this.#digits;
    this.#digits = '';
    // 0 alone is the tenth.
    this.#actions.explain(digits === '0' ? 10 : Number(digits));
  }
}
