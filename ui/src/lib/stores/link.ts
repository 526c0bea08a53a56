// The one word for the network, from all destinations.

import type { DestinationView, ShowView } from '$lib/ipc/bindings';
import { isInterrupted } from './show';

/** One word for the network. */
export type LinkWord = 'none' | 'good' | 'slow' | 'lost' | 'connecting';

/** Behind by more than this is slow, ms; the program tells it anew when this changes (`studio/src/hub.rs`). */
const SLOW_MS = 1_500;
/** Below this share of its full bitrate the picture is lowered, percent; as `engine/src/show/rate.rs`. */
const LOWERED_BELOW = 90;

/** The word and the destination it is about. */
export interface LinkState {
  word: LinkWord;
  /** Why, for the line of advice. */
  why: 'none' | 'local' | 'slow' | 'lowered' | 'lost' | 'refused' | 'connecting' | 'stale' | 'interrupted' | 'good';
  destination: DestinationView | null;
}

/** Is the picture far behind there? */
export const isSlow = (d: DestinationView): boolean => d.state === 'publishing' && d.behindMs > SLOW_MS;

/** The worst of all destinations decides. `picturePercent`: what a slow link leaves of the picture's bitrate. */
export function linkState(show: Pick<ShowView, 'state' | 'liveSinceMs'>, destinations: DestinationView[], picturePercent: number, stale: boolean): LinkState {
  if (isInterrupted(show)) return { word: 'lost', why: 'interrupted', destination: null };
  if (show.state !== 'live' && show.state !== 'starting') return { word: 'none', why: 'none', destination: null };
  if (stale) return { word: 'lost', why: 'stale', destination: null };
  const used = destinations.filter((d) => d.enabled);
  const first = (test: (d: DestinationView) => boolean) => used.find(test) ?? null;
  const refused = first((d) => d.state === 'refused');
  if (refused) return { word: 'lost', why: 'refused', destination: refused };
  const lost = first((d) => d.state === 'reconnecting');
  if (lost) return { word: 'lost', why: 'lost', destination: lost };
  const slow = first(isSlow);
  if (slow) return { word: 'slow', why: 'slow', destination: slow };
  if (used.length > 0 && picturePercent < LOWERED_BELOW) return { word: 'slow', why: 'lowered', destination: null };
  const connecting = first((d) => d.state === 'connecting');
  if (connecting) return { word: 'connecting', why: 'connecting', destination: connecting };
  if (used.length === 0) return { word: 'good', why: 'local', destination: null };
  return { word: 'good', why: 'good', destination: null };
}
