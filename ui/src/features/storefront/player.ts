import type Hls from 'hls.js';
import { Distance } from './distance';
import { loadHls } from './hls';
import { Rescue, type Step } from './rescue';
import { pause } from './sse';
import { Watch } from './watch';

/** How the picture stands. */
export type Picture =
  | 'off'
  /** Nothing to see yet; it is being asked for. */
  | 'loading'
  | 'playing'
  | 'stalled'
  /** The browser wants a tap first. */
  | 'blocked'
  /** The stream said that it is over. */
  | 'ended'
  | 'unsupported';

export interface PlayerOptions {
  url: string;
  onPicture: (picture: Picture) => void;
}

const LOOK_MS = 500;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 5_000;
/** A list that takes longer is as good as none. */
const ASK_MS = 4_000;
/** Behind the edge by more than this after a pause: go to the edge. */
const FAR_BEHIND_S = 10;
const NATIVE_HOLD_S = 4;
const NATIVE_MOST = 3;

const HLS_TYPE = 'application/vnd.apple.mpegurl';

/** WebKit: plays HLS itself and tells the date of its frames, which the controls keep step with. */
interface DatedVideo extends HTMLVideoElement {
  getStartDate(): Date;
}

function isDated(video: HTMLVideoElement): video is DatedVideo {
  return 'getStartDate' in video && video.canPlayType(HLS_TYPE) !== '';
}

/** Plays the live stream into a video element and keeps it alive. */
export class Player {
  private hls: Hls | null = null;
  private isRunning = false;
  /** Counts openings: what an earlier one still wants to say is not heard. */
  private opening = 0;
  private failures = 0;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private looking: ReturnType<typeof setInterval> | undefined;
  private watch = new Watch(0);
  private readonly distance = new Distance();
  private picture: Picture = 'off';
  private mediaRepairs = 0;
  /** A frame of this opening is on the screen: it stays there until something better is in sight. */
  private hasFrame = false;
  private rescue = new Rescue(false);
  /** The list is being asked for, now or soon. */
  private asking = new AbortController();
  /** Native openings in a row that showed nothing: then hls.js is tried, where it works. */
  private nativeFailures = 0;
  private readonly stopListening = new AbortController();

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly options: PlayerOptions,
  ) {
    const signal = this.stopListening.signal;
    video.addEventListener('playing', () => this.onPlaying(), { signal });
    video.addEventListener('emptied', () => this.onEmptied(), { signal });
    video.addEventListener('ended', () => this.onEnded(), { signal });
    video.addEventListener('error', () => this.onElementError(), { signal });
    video.addEventListener('loadedmetadata', () => this.onNativeMetadata(), { signal });
    document.addEventListener('visibilitychange', () => this.onVisible(), { signal });
    window.addEventListener('online', () => this.onOnline(), { signal });
  }

  start(): void {
    if (this.isRunning) return;
    this.isRunning = true;
    this.failures = this.nativeFailures = 0;
    this.looking = setInterval(() => this.look(), LOOK_MS);
    this.open();
  }

  stop(): void {
    this.isRunning = false;
    clearInterval(this.looking);
    this.close();
    this.show('off');
  }

  destroy(): void {
    this.stop();
    this.stopListening.abort();
  }

  /** Sound on or off. Called from a tap, so the browser allows it. */
  setMuted(muted: boolean): void {
    this.video.muted = muted;
    if (this.isRunning && this.video.paused && this.picture !== 'ended') void this.play();
  }

  /** Starts what the browser did not start by itself. */
  async play(): Promise<void> {
    const opening = this.opening;
    try {
      await this.video.play();
    } catch (error) {
      if (opening !== this.opening || !this.isRunning) return;
      if (error instanceof DOMException && error.name === 'NotAllowedError') this.show('blocked');
    }
  }

  /** Wall clock of the program at the frame on the screen. */
  pictureMs(): number | null {
    if (this.picture !== 'playing' && this.picture !== 'stalled') return null;
    if (this.hls) return this.hls.playingDate?.getTime() ?? null;
    if (!isDated(this.video)) return null;
    const startMs = this.video.getStartDate().getTime();
    return Number.isFinite(startMs) ? startMs + this.video.currentTime * 1_000 : null;
  }

  private show(picture: Picture): void {
    if (!this.isRunning && picture !== 'off') return;
    if (picture === 'playing') this.failures = this.nativeFailures = 0;
    if (picture === this.picture) return;
    this.picture = picture;
    this.options.onPicture(picture);
  }

  private open(): void {
    this.close();
    this.watch = new Watch(Date.now());
    this.show('loading');
    if (isDated(this.video) && this.nativeFailures < NATIVE_MOST) this.openNative();
    else void this.openHls();
  }

  private openNative(): void {
    this.rescue = new Rescue(false);
    this.video.src = this.options.url;
    void this.play();
  }

  private async openHls(): Promise<void> {
    const opening = this.opening;
    let Hls;
    try {
      Hls = await loadHls();
    } catch {
      if (opening === this.opening) this.fail();
      return;
    }
    if (opening !== this.opening || !this.isRunning) return;
    if (!Hls.isSupported()) {
      if (this.video.canPlayType(HLS_TYPE) !== '') this.openNative();
      else this.show('unsupported');
      return;
    }
    const hls = new Hls({
      // What is lost is caught up by playing a little faster, by a jump only when far behind.
      lowLatencyMode: true,
      liveSyncDuration: this.distance.seconds,
      liveMaxLatencyDuration: 5,
      liveSyncOnStallIncrease: 0,
      maxLiveSyncPlaybackRate: 1.15,
      maxBufferLength: 12,
      backBufferLength: 8,
      // Fragmented MP4 is passed through: there is nothing for a worker to do.
      enableWorker: false,
    });
    this.hls = hls;
    this.rescue = new Rescue(true);
    let isKnown = false;
    hls.on(Hls.Events.MANIFEST_PARSED, () => void this.play());
    hls.on(Hls.Events.LEVEL_LOADED, (_, { details }) => {
      // A stream that is over already is an earlier one: nothing of it is played again.
      if (!isKnown && !details.live) this.fail();
      isKnown = true;
    });
    hls.on(Hls.Events.ERROR, (_, { fatal, type, details }) => {
      if (opening !== this.opening) return;
      if (details === Hls.ErrorDetails.BUFFER_STALLED_ERROR) this.distance.stalled(Date.now());
      if (!fatal) return;
      if (type !== Hls.ErrorTypes.MEDIA_ERROR) {
        this.trouble(true);
      } else if (this.mediaRepairs < 2) {
        this.mediaRepairs += 1;
        hls.recoverMediaError();
        // A fatal error has stopped its loading, and recovering begins that again for the segments only, not for the list.
        hls.startLoad();
        void this.play();
      } else {
        this.fail();
      }
    });
    hls.attachMedia(this.video);
    hls.loadSource(this.options.url);
  }

  private close(): void {
    this.opening += 1;
    this.mediaRepairs = 0;
    this.hasFrame = false;
    this.rescue = new Rescue(false);
    this.asking.abort();
    clearTimeout(this.retry);
    this.retry = undefined;
    this.hls?.destroy();
    this.hls = null;
    if (this.video.hasAttribute('src')) {
      this.video.removeAttribute('src');
      this.video.load();
    }
  }

  /** The stream gave up or stands still. */
  private trouble(hasStopped: boolean): void {
    if (!this.isRunning) return;
    // hls.js cannot go on with an element that failed.
    if (this.hasFrame && !(this.hls && this.video.error)) this.act(this.rescue.trouble(hasStopped, Date.now()));
    else if (hasStopped) this.fail();
    else this.open();
  }

  private act({ load, askInMs, reopen }: Step): void {
    if (reopen) {
      this.open();
      return;
    }
    if (load) {
      // Stopped first: a request that hangs in a dead connection would be waited for.
      this.hls?.stopLoad();
      this.hls?.startLoad();
    }
    if (askInMs !== undefined) void this.ask(askInMs);
    else if (!this.rescue.isOn) this.asking.abort();
  }

  private async ask(inMs: number): Promise<void> {
    this.asking.abort();
    const { signal } = (this.asking = new AbortController());
    if (inMs > 0) await pause(inMs, signal);
    if (signal.aborted) return;
    const list = await fetchList(this.options.url, signal);
    if (!signal.aborted) this.act(this.rescue.answered(list, Date.now()));
  }

  /** Opens anew after a moment, with no frame to lose; before the first segment is there this is the usual way. */
  private fail(): void {
    if (!this.isRunning) return;
    if (!this.hls) this.nativeFailures += 1;
    this.close();
    const waitMs = Math.min(FIRST_WAIT_MS * 2 ** this.failures, LONGEST_WAIT_MS);
    this.failures += 1;
    if (this.picture !== 'ended') this.show('loading');
    this.retry = setTimeout(() => this.open(), waitMs);
  }

  private onPlaying(): void {
    this.hasFrame = true;
    this.show('playing');
  }

  /** The element lost its source, by hls.js repairing its media for example: what it shows now is black. */
  private onEmptied(): void {
    this.hasFrame = false;
    if (this.picture === 'playing' || this.picture === 'stalled') this.show('loading');
  }

  /** The picture may come back: a media process that died begins another stream. */
  private onEnded(): void {
    this.show('ended');
    this.fail();
  }

  private onElementError(): void {
    // hls.js hears of it by itself.
    if (!this.hls && this.video.hasAttribute('src')) this.trouble(true);
  }

  private onNativeMetadata(): void {
    if (!this.hls && this.video.hasAttribute('src') && Number.isFinite(this.video.duration)) this.fail();
  }

  private look(): void {
    if (document.hidden || this.picture === 'ended' || this.picture === 'blocked' || this.picture === 'unsupported') return;
    const seconds = this.distance.look(Date.now());
    if (this.hls && this.hls.targetLatency !== seconds) this.hls.targetLatency = seconds;
    const verdict = this.watch.look(this.video.currentTime, Date.now());
    // A jump moves the position too, but has nothing to show yet.
    this.act(this.rescue.look(this.watch.hasMoved && this.video.readyState >= 3, Date.now()));
    if (verdict === 'dead') {
      this.trouble(false);
    } else if (verdict === 'stalled') {
      if (this.picture !== 'playing') return;
      // Paused by the system, by a call for example.
      if (this.video.paused) void this.play();
      else this.show('stalled');
    } else if (this.picture === 'stalled' && !this.video.paused && this.video.readyState >= 3) {
      this.show('playing');
    }
  }

  /** Nothing waits for its time once the network is back. */
  private onOnline(): void {
    if (!this.isRunning) return;
    if (this.rescue.isOn || this.picture === 'stalled') {
      this.act(this.rescue.online(Date.now()));
    } else if (this.picture === 'loading' || this.retry !== undefined) {
      this.failures = 0;
      this.open();
    }
  }

  private onVisible(): void {
    if (document.hidden || !this.isRunning) return;
    this.watch.forgive(Date.now());
    const { seekable } = this.video;
    const edge = seekable.length > 0 ? seekable.end(seekable.length - 1) : 0;
    if (!this.hls && edge - this.video.currentTime > FAR_BEHIND_S) this.video.currentTime = edge - NATIVE_HOLD_S;
    if (this.video.paused && this.picture !== 'ended' && this.picture !== 'blocked') void this.play();
  }
}

/** The list as it is now; null if it does not come. A list proves that the network and the shop are there. */
async function fetchList(url: string, signal: AbortSignal): Promise<string | null> {
  const attempt = new AbortController();
  const abort = (): void => attempt.abort();
  signal.addEventListener('abort', abort);
  const limit = setTimeout(abort, ASK_MS);
  try {
    const answer = await fetch(url, { cache: 'no-store', signal: attempt.signal });
    const text = answer.ok ? await answer.text() : '';
    // A network that wants a login first answers everything with a page of its own.
    return text.startsWith('#EXTM3U') ? text : null;
  } catch {
    return null;
  } finally {
    clearTimeout(limit);
    signal.removeEventListener('abort', abort);
    attempt.abort();
  }
}
