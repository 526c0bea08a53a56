import type { Buyer } from './wire';

export type BuyerField = keyof Buyer;
export type Rule = 'empty' | 'too_long' | 'control' | 'format';
export type Faults = Partial<Record<BuyerField, Rule>>;

const MOST = { name: 64, address: 200 } as const;

function text(value: string, most: number): Rule | undefined {
  const line = value.trim().replace(/[\n\r\t]/g, ' ');
  if (line === '') return 'empty';
  if (Array.from(line).length > most) return 'too_long';
  // Bidi overrides could turn the rest of a row around.
  return /[\p{Cc}\u202A-\u202E\u2066-\u2069]/u.test(line) ? 'control' : undefined;
}

/** Full-width figures and signs, as Chinese keyboards type them, in the narrow form the shop takes. */
export function narrow(phone: string): string {
  return phone.normalize('NFKC').replace(/[‐‑‒–—−ー]/g, '-').trim();
}

function phone(value: string): Rule | undefined {
  const given = narrow(value);
  if (given === '') return 'empty';
  const digits = given.replace(/\D/g, '').length;
  return given.length <= 24 && /^[0-9 +\-()]+$/.test(given) && digits >= 5 && digits <= 15 ? undefined : 'format';
}

/** The shop's own rules, so that a mistake is said at the field before anything is sent. */
export function faults(buyer: Buyer): Faults {
  const found: Faults = {};
  const rules = { name: text(buyer.name, MOST.name), phone: phone(buyer.phone), address: text(buyer.address, MOST.address) };
  for (const field of ['name', 'phone', 'address'] as const) {
    const rule = rules[field];
    if (rule) found[field] = rule;
  }
  return found;
}

/** As it is sent. */
export function cleaned(buyer: Buyer): Buyer {
  return { name: buyer.name.trim(), phone: narrow(buyer.phone), address: buyer.address.trim() };
}
