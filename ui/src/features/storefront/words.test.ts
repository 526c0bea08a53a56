import { describe, expect, it } from 'vitest';
import { langOf, words } from '../../lib/i18n/storefront';
import { countdown, exact, price, priceParts } from './format';
import { Watch } from './watch';

describe('words', () => {
  it('speak the first language that is spoken here', () => {
    expect(langOf(['zh-TW', 'en'])).toBe('zh-CN');
    expect(langOf(['de', 'en-GB', 'zh'])).toBe('en');
    expect(langOf(['fr'])).toBe('en');
    expect(langOf([])).toBe('en');
  });

  it('are there in both languages, and are not the same', () => {
    const [zh, en] = [words('zh-CN'), words('en')];
    const same = Object.keys(zh).filter((k) => JSON.stringify(zh[k as keyof typeof zh]) === JSON.stringify(en[k as keyof typeof en]) && typeof zh[k as keyof typeof zh] === 'string');
    expect(same).toEqual([]);
  });
});

describe('figures', () => {
  const cny = (amount: number, currency = 'CNY') => ({ amount, currency });
  it('follow the currency, with cents only where there are some', () => {
    expect(price(cny(26_800), 'zh-CN')).toBe('¥268');
    expect(price(cny(26_850), 'en')).toBe('¥268.50');
    expect(exact(cny(26_800), 'zh-CN')).toBe('¥268.00');
    expect(exact(cny(500, 'JPY'), 'en')).toBe('¥500');
    expect(priceParts(cny(26_800), 'zh-CN')).toEqual({ sign: '¥', figures: '268' });
  });

  it('count down to nothing and not below', () => {
    expect(countdown(156_000)).toBe('02:36');
    expect(countdown(500)).toBe('00:01');
    expect(countdown(-5)).toBe('00:00');
    expect(countdown(3_756_000)).toBe('1:02:36');
  });
});

describe('a picture that stands', () => {
  it('is stalled soon and dead in the end, and alive at the first move', () => {
    const watch = new Watch(0);
    expect(watch.look(1, 0)).toBe('moving');
    expect(watch.look(1, 1_000)).toBe('moving');
    expect(watch.look(1, 2_000)).toBe('stalled');
    expect(watch.look(1, 12_000)).toBe('dead');
    expect(watch.look(1.1, 12_500)).toBe('moving');
    watch.forgive(60_000);
    expect(watch.look(1.1, 60_500)).toBe('moving');
  });
});
