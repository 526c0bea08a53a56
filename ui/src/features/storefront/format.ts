import type { Lang } from '../../lib/i18n/storefront';
import type { Money } from './wire';

const formats = new Map<string, { whole: Intl.NumberFormat; exact: Intl.NumberFormat; digits: number }>();

function format(currency: string, lang: Lang): { whole: Intl.NumberFormat; exact: Intl.NumberFormat; digits: number } {
  const key = `${lang} ${currency}`;
  let known = formats.get(key);
  if (!known) {
    const style = { style: 'currency', currency, currencyDisplay: 'narrowSymbol' } as const;
    const exact = new Intl.NumberFormat(lang, style);
    known = {
      exact,
      whole: new Intl.NumberFormat(lang, { ...style, minimumFractionDigits: 0, maximumFractionDigits: 0 }),
      digits: exact.resolvedOptions().maximumFractionDigits ?? 2,
    };
    formats.set(key, known);
  }
  return known;
}

/** ¥268, and ¥268.50 where there are cents. */
export function price(money: Money, lang: Lang): string {
  const { whole, exact, digits } = format(money.currency, lang);
  const unit = 10 ** digits;
  return (money.amount % unit === 0 ? whole : exact).format(money.amount / unit);
}

/** Always with cents: what somebody pays. */
export function exact(money: Money, lang: Lang): string {
  const { exact: figures, digits } = format(money.currency, lang);
  return figures.format(money.amount / 10 ** digits);
}

/** Sign and figures apart, for the large price. */
export function priceParts(money: Money, lang: Lang): { sign: string; figures: string } {
  const text = price(money, lang);
  const at = text.search(/\d/);
  return at > 0 ? { sign: text.slice(0, at).trim(), figures: text.slice(at) } : { sign: '', figures: text };
}

/** 02:36, and 1:02:36 beyond an hour. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const two = (n: number): string => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}

/** 20:14:03 today, with the day before it otherwise. */
export function moment(ms: number, nowMs: number, lang: Lang): string {
  const [then, now] = [new Date(ms), new Date(nowMs)];
  const time = then.toLocaleTimeString(lang, { hourCycle: 'h23', hour: '2-digit', minute: '2-digit', second: '2-digit' });
  if (then.toDateString() === now.toDateString()) return time;
  return `${then.toLocaleDateString(lang, { month: 'numeric', day: 'numeric' })} ${time}`;
}
