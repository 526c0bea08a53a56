// What the state of a show means to a host.

import type { ShowView } from '$lib/ipc/bindings';

/** On air, and its media process is being started again: there is no picture, and the show goes on with the next one. */
export const isInterrupted = (show: Pick<ShowView, 'state' | 'liveSinceMs'>): boolean => show.state === 'opening' && show.liveSinceMs !== null;
