// The microphone's word: the loudest of the last seconds decides, so that a pause between words is not "too quiet".

import type { LevelsView, ShowView } from '$lib/ipc/bindings';

/** One word for the microphone. */
export type MicWord = 'good' | 'quiet' | 'loud' | 'muted' | 'none' | 'unknown';

/** How long a peak is remembered, ms. */
const MEMORY_MS = 3_000;
const QUIET_DB = -36;
const LOUD_DB = -2;
/** What silence reads as: it is not a number on the wire. */
export const SILENCE_DB = -100;

/** The zones of the meter: quiet, right, too loud, as shares of its length. */
export const ZONES = [4 / 12, 6 / 12, 2 / 12] as const;

/** dBFS to a share of the meter; quiet up to −36, right up to −6. */
export function meterShare(db: number | null | undefined): number {
  const x = db ?? SILENCE_DB;
  if (x <= -60) return 0;
  if (x < QUIET_DB) return ((x + 60) / (QUIET_DB + 60)) * ZONES[0];
  if (x < -6) return ZONES[0] + ((x - QUIET_DB) / (-6 - QUIET_DB)) * ZONES[1];
  return Math.min(1, ZONES[0] + ZONES[1] + ((x + 6) / 6) * ZONES[2]);
}

/** Peaks of the last seconds. */
export class Loudness {
  #peaks: { atMs: number; db: number }[] = [];

  /** Takes one reading. */
  take(levels: LevelsView, nowMs: number): void {
    this.#peaks.push({ atMs: nowMs, db: levels.peakDb ?? SILENCE_DB });
    this.#peaks = this.#peaks.filter((p) => nowMs - p.atMs <= MEMORY_MS);
  }

  /** The loudest reading that is remembered; `null` without any. */
  loudest(nowMs: number): number | null {
    const recent = this.#peaks.filter((p) => nowMs - p.atMs <= MEMORY_MS);
    return recent.length === 0 ? null : Math.max(...recent.map((p) => p.db));
  }
}

/** The word for what is heard. */
export function micWord(show: Pick<ShowView, 'muted' | 'mic' | 'state'>, loudest: number | null): MicWord {
  if (show.muted) return 'muted';
  if (show.state !== 'opening' && show.mic === '') return 'none';
  if (loudest === null) return 'unknown';
  if (loudest > LOUD_DB) return 'loud';
  return loudest < QUIET_DB ? 'quiet' : 'good';
}
