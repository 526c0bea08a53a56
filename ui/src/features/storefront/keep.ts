// What the browser keeps for this page. Private windows may refuse; then the page keeps it for its own life.

const memory = new Map<string, string>();

function name(key: string): string {
  return `stallcast.${key}`;
}

/** A kept value, or null. */
export function kept<T>(key: string, isValid: (value: unknown) => value is T): T | null {
  let text: string | null;
  try {
    text = localStorage.getItem(name(key));
  } catch {
    text = null;
  }
  text ??= memory.get(name(key)) ?? null;
  if (text === null) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isValid(value) ? value : null;
  } catch {
    return null;
  }
}

/** Keeps a value; null forgets it. */
export function keep(key: string, value: unknown): void {
  const text = value === null ? null : JSON.stringify(value);
  if (text === null) memory.delete(name(key));
  else memory.set(name(key), text);
  try {
    if (text === null) localStorage.removeItem(name(key));
    else localStorage.setItem(name(key), text);
  } catch {
    // Kept in memory.
  }
}

/** 128 random bits in hex. `crypto.randomUUID` is missing on a page of the local network, which is no secure context. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

const isViewer = (value: unknown): value is string => typeof value === 'string' && /^[A-Za-z0-9-]{8,64}$/.test(value);

/** The id this browser made for itself: all the shop ever knows of a viewer who buys nothing. */
export function viewerId(): string {
  const known = kept('viewer', isViewer);
  if (known) return known;
  const id = randomId();
  keep('viewer', id);
  return id;
}
