// What is looked at before going live. Only what is known; a check that cannot be made is not in the list.

import type { BagItemView, DestinationView, OrdersView, SettingsView, ShowView, StatsView } from '$lib/ipc/bindings';
import { t, type TextKey } from '$lib/i18n/index.svelte';
import { nextUp } from '$lib/stores/bag';
import { clockTime, machineShare, rate } from '$lib/stores/format';
import type { MicWord } from '$lib/stores/loudness';

/** What a check's button does. */
export type CheckAction = 'camera' | 'mic' | 'unmute';

/** One line of the pre-flight. */
export interface Check {
  name: 'camera' | 'mic' | 'encoder' | 'disk' | 'bag' | 'orders' | 'shop' | 'key' | 'to';
  level: 'ok' | 'look';
  /** What is found. */
  text: string;
  /** What to do; empty when all is well. */
  todo: string;
  action?: CheckAction;
}

/** Everything a check reads. */
export interface Known {
  show: ShowView;
  bag: BagItemView[];
  orders: OrdersView;
  stats: StatsView;
  settings: SettingsView;
  destinations: DestinationView[];
  mic: MicWord;
}

/** Less room than this is worth a look, minutes. */
const LOW_DISK = 30;
/** More of the machine than this is worth a look. */
const BUSY = 0.8;

/** All checks, in the order they are shown. */
export function checks(known: Known): Check[] {
  const { show, bag, orders, stats, settings, destinations, mic } = known;
  const list: Check[] = [];
  const ok = (name: Check['name'], text: string) => list.push({ name, level: 'ok', text, todo: '' });
  const look = (name: Check['name'], text: string, todo: string, action?: CheckAction) =>
    list.push({ name, level: 'look', text, todo, ...(action ? { action } : {}) });

  if (show.camera === '') look('camera', t('golive.cameraNone'), t('golive.cameraNoneDo'), 'camera');
  else if (show.demo) look('camera', t('golive.cameraDemo'), t('golive.cameraDemoDo'), 'camera');
  else ok('camera', t('golive.cameraOk', { name: show.camera, width: show.canvasWidth, height: show.canvasHeight }));

  if (mic === 'muted') look('mic', t('golive.micMuted'), t('golive.micMutedDo'), 'unmute');
  else if (mic === 'none') look('mic', t('golive.micNone'), t('golive.micNoneDo'), 'mic');
  else if (mic === 'quiet') look('mic', t('golive.micQuiet'), t('golive.micQuietDo', { name: show.mic }), 'mic');
  else ok('mic', mic === 'unknown' ? show.mic : t('golive.micOk', { name: show.mic, word: t(`strip.mic.${mic}`) }));

  const cpu = machineShare(stats.cpu, stats.cores);
  if (stats.cores > 0 && (stats.cpu ?? 0) / stats.cores > BUSY) look('encoder', t('golive.encoderBusy', { cpu }), t('golive.encoderBusyDo'));
  else ok('encoder', t('golive.encoderOk', { cpu, fps: rate(stats.fps) }));

  if (!settings.record) ok('disk', t('golive.diskOff'));
  else if (stats.diskMinutes === null) ok('disk', t('golive.diskUnknown'));
  else if (stats.diskMinutes < LOW_DISK) look('disk', t('golive.diskLow', { minutes: stats.diskMinutes }), t('golive.diskLowDo'));
  else ok('disk', t('golive.diskOk', { minutes: stats.diskMinutes }));

  const first = nextUp(bag);
  if (bag.length === 0) look('bag', t('golive.bagEmpty'), t('golive.bagEmptyDo'));
  else if (first) ok('bag', t('golive.bagOk', { count: bag.length, number: first.number }));
  else ok('bag', t('golive.bagDone', { count: bag.length }));

  if (orders.seal.kind === 'complete') ok('orders', t('golive.ordersOk', { time: clockTime(orders.seal.upToMs) }));
  else look('orders', t('golive.ordersWait'), t('golive.ordersWaitDo'));

  if (show.viewerUrl === null) look('shop', t('golive.shopNone'), t('golive.shopNoneDo'));
  else ok('shop', t('golive.shopOk'));

  const gone = destinations.find(needsKey);
  if (gone) look('to', t('golive.toKey', { name: gone.name }), t('golive.toKeyDo'));

  const key = `golive.key.${settings.keyProtector}`;
  if (key === 'golive.key.keychain' || key === 'golive.key.passphrase' || key === 'golive.key.file') ok('key', t(key satisfies TextKey));
  return list;
}

/** Its key was for a show that is over. */
const needsKey = (d: DestinationView): boolean => d.enabled && d.keyGone;

/** Is there anywhere to send the show to? */
export const canGoLive = ({ show, settings, destinations }: Known): boolean =>
  show.state === 'ready' && !destinations.some(needsKey) && (show.viewerUrl !== null || settings.record || destinations.some((d) => d.enabled));
