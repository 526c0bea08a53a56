// Figures as people read them. Every figure may be missing: it shows as a dash, never as a wrong number.

import type { MoneyView } from '$lib/ipc/bindings';

type Figure = number | null | undefined;

const two = (n: number): string => String(n).padStart(2, '0');
const real = (n: Figure): n is number => typeof n === 'number' && Number.isFinite(n);

/** What stands for a figure nobody knows. */
export const UNKNOWN = '—';

/** A moment on this machine's clock, `20:14:03`. */
export function clockTime(ms: Figure): string {
  if (!real(ms)) return UNKNOWN;
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/** A length of time with hours, `01:12:48`. */
export function longTime(ms: Figure): string {
  if (!real(ms)) return UNKNOWN;
  const s = Math.max(0, Math.floor(ms / 1000));
  return `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

/** A length of time, `04:12`, with hours only when there are some. */
export function shortTime(ms: Figure): string {
  if (!real(ms)) return UNKNOWN;
  const s = Math.max(0, Math.floor(ms / 1000));
  return s >= 3600 ? longTime(ms) : `${two(Math.floor(s / 60))}:${two(s % 60)}`;
}

/** Time left, rounded up: a countdown reaches 00:00 only when it is over. */
export function timeLeft(until: Figure, now: number): string {
  return real(until) ? shortTime(Math.ceil(Math.max(0, until - now) / 1000) * 1000) : UNKNOWN;
}

/** `12,345` */
export function grouped(n: Figure): string {
  return real(n) ? group(String(Math.trunc(n))) : UNKNOWN;
}

const group = (digits: string): string => digits.replace(/\B(?=(\d{3})+$)/g, ',');

const sign = (money: MoneyView): string => /^[^\d-]*/.exec(money.text)?.[0] ?? '';

/** A price: `¥268`, `¥68.50`. */
export const price = (money: MoneyView): string => sign(money) + money.short;

/** A sum over many orders: `¥21,884`, decimals cut. */
export function totalSum(money: MoneyView): string {
  return sign(money) + group(money.short.split('.')[0] ?? '');
}

/** `38%` of the whole machine. */
export function machineShare(cpu: Figure, cores: Figure): string {
  return real(cpu) && real(cores) && cores > 0 ? `${Math.round(Math.min(1, cpu / cores) * 100)}%` : UNKNOWN;
}

/** `4.0 Mbps` or `640 kbps`. */
export function bitrate(kbps: Figure): string {
  if (!real(kbps) || kbps <= 0) return UNKNOWN;
  return kbps >= 1000 ? `${(kbps / 1000).toFixed(1)} Mbps` : `${Math.round(kbps)} kbps`;
}

/** `30.0` */
export const rate = (fps: Figure): string => (real(fps) ? fps.toFixed(1) : UNKNOWN);

/** `128`, or a dash. */
export const count = (n: Figure): string => (real(n) ? String(n) : UNKNOWN);
