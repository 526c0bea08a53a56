// What every panel of a window shares.

import { getContext, setContext } from 'svelte';
import type { ConnectionView } from '$lib/ipc/bindings';
import type { Client } from '$lib/ipc/client';
import type { Clock } from './clock.svelte';
import type { Notices } from './notices.svelte';

/** The program behind the page, the time, and the place for refusals. */
export interface Shared {
  client: Client;
  clock: Clock;
  notices: Notices;
  /** The shops and what each can do, as of now. */
  shops: () => ConnectionView[];
}

/** Key of the context; tests give their own. */
export const SHARED = Symbol('stallcast');

/** Called once by the window. */
export const share = (shared: Shared): Shared => setContext(SHARED, shared);

/** For panels. */
export const useShared = (): Shared => getContext<Shared>(SHARED);

/** Runs a command; a refusal becomes a notice. True if it was taken. */
export async function attempt(notices: Notices, work: () => Promise<unknown>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (thrown) {
    notices.push(thrown);
    return false;
  }
}
