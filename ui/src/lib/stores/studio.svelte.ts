// What a window knows: a snapshot, kept right by events.

import type { LevelsView, StudioEvent, StudioView, UiError } from '$lib/ipc/bindings';
import { asUiError, type Client } from '$lib/ipc/client';
import { reduce } from './reduce';
import { Loudness } from './loudness';

/** Samples of the bitrate, one a second. */
const TREND = 120;
/** Figures older than this are not shown as if they were new, ms. */
export const STALE_MS = 8_000;

/** The page's copy of the studio. */
export class StudioStore {
  phase = $state<'opening' | 'ready' | 'failed'>('opening');
  view = $state.raw<StudioView | null>(null);
  levels = $state.raw<LevelsView | null>(null);
  error = $state.raw<UiError | null>(null);
  /** kbit/s of the last two minutes, oldest first. */
  trend = $state.raw<number[]>([]);
  /** When the media process was last heard, ms UTC; `null` while nothing is expected. */
  heardAtMs = $state<number | null>(null);
  readonly loudness = new Loudness();

  readonly #client: Client;
  #stop: (() => void) | null = null;
  #waiting: StudioEvent[] | null = null;
  #opening = 0;

  constructor(client: Client) {
    this.#client = client;
  }

  /** Listens first, then takes the snapshot: a change in between is applied after it, never lost. */
  async open(): Promise<void> {
    const turn = ++this.#opening;
    this.phase = 'opening';
    this.error = null;
    this.#waiting = [];
    try {
      this.#stop?.();
      const stop = await this.#client.listen((event) => {
        if (turn === this.#opening) this.#take(event);
      });
      if (turn !== this.#opening) {
        stop();
        return;
      }
      this.#stop = stop;
      const view = await this.#client.snapshot();
      if (turn !== this.#opening) return;
      this.view = view;
      const missed = this.#waiting ?? [];
      this.#waiting = null;
      missed.forEach((event) => this.#take(event));
      this.phase = 'ready';
    } catch (thrown) {
      if (turn !== this.#opening) return;
      this.error = asUiError(thrown);
      this.phase = 'failed';
    }
  }

  /** Stops listening. */
  close(): void {
    this.#opening++;
    this.#stop?.();
    this.#stop = null;
  }

  #take(event: StudioEvent): void {
    const now = Date.now();
    if (event.section === 'levels') {
      this.levels = event.value;
      this.loudness.take(event.value, now);
      this.heardAtMs = now;
      return;
    }
    if (this.#waiting) {
      this.#waiting.push(event);
      return;
    }
    if (!this.view) return;
    if (event.section === 'stats') {
      this.heardAtMs = now;
      this.trend = [...this.trend, event.value.kbps].slice(-TREND);
    }
    if (event.section === 'show' && event.value.state === 'opening') this.heardAtMs = null;
    this.view = reduce(this.view, event);
  }
}

/** Was the media process heard before, and is it silent now? */
export const isStale = (heardAtMs: number | null, now: number): boolean => heardAtMs !== null && now - heardAtMs > STALE_MS;
