// Texts of the studio and the order window in the language of the settings.

import { en } from './en';
import { zhCN, type TextKey } from './zh-CN';

export type { TextKey } from './zh-CN';
/** A language the pages speak. */
export type Language = 'zh-CN' | 'en';
/** Values for a text; one that is missing shows as a question mark. */
export type TextParams = { [name in string]?: string | number };

const TABLES: Record<Language, Record<TextKey, string>> = { 'zh-CN': zhCN, en };
const current = $state<{ language: Language }>({ language: 'zh-CN' });

/** The language in force. */
export const language = (): Language => current.language;

/** Takes the language of the settings; anything else than English is Chinese. */
export function setLanguage(tag: string): void {
  current.language = tag === 'en' ? 'en' : 'zh-CN';
}

/** Puts values into a template. Values are data: braces inside them stay as they are. */
export function fill(template: string, params: TextParams = {}): string {
  const [one, other] = template.split('|') as [string, string?];
  const text = other !== undefined && Number(params['count']) !== 1 ? other : one;
  return text.replace(/\{([a-zA-Z_]+)\}/g, (_, name: string) => String(params[name] ?? '?'));
}

/** A text in the language in force. */
export function t(key: TextKey, params?: TextParams): string {
  return fill(TABLES[current.language][key], params);
}

const isKey = (key: string): key is TextKey => Object.hasOwn(zhCN, key);

/** The sentence for an error code and its values. */
export function errorText(error: { code: string; params?: TextParams }): string {
  const params = error.params ?? {};
  if (error.code === 'invalid') return invalidText(String(params['field'] ?? ''), String(params['rule'] ?? ''));
  // A broken rule of an address has a sentence of its own.
  const ofRule = `error.${error.code}_${String(params['rule'] ?? params['reason'] ?? '')}`;
  if (isKey(ofRule)) return t(ofRule, params);
  const key = `error.${error.code}`;
  return isKey(key) ? t(key, params) : t('error.unknown');
}

/** What the host must press where, for something that only our picture shows. */
export function pressText(code: string, params: TextParams): string {
  const key = `press.${code}`;
  return t(isKey(key) ? key : 'press.unknown', params);
}

/** Why a shop cannot do something. */
export function reasonText(code: string, params: TextParams): string {
  const key = `reason.${code}`;
  return t(isKey(key) ? key : 'reason.unknown', params);
}

const AMOUNTS = ['discount', 'threshold', 'amount', 'price'];

function invalidText(name: string, rule: string): string {
  const fieldKey = `field.${name}`;
  if (!isKey(fieldKey)) return t('error.invalid');
  const field = t(fieldKey);
  if (rule === 'range' && name === 'discount') return t('rule.rangeDiscount');
  if (rule === 'range' && name === 'quantity') return t('rule.rangeQuantity');
  if (rule === 'range' && name === 'valid_s') return t('rule.rangeValid');
  if (rule === 'format' && !AMOUNTS.includes(name)) return t('rule.formatText', { field });
  const ruleKey = `rule.${rule}`;
  return isKey(ruleKey) ? t(ruleKey, { field }) : t('rule.other', { field });
}

/** What a platform means for the show. */
export function noteText(note: { code: string; params?: TextParams }): string {
  const key = `note.${note.code}`;
  return isKey(key) ? t(key, note.params) : t('health.unknown', { code: note.code });
}

/** Words that come in both languages. */
export const words = (both: { zh: string; en: string }): string => (current.language === 'en' ? both.en : both.zh);

/** The sentence for a code of the machinery. */
export function healthText(news: { code: string; params?: TextParams }): string {
  // A refusal's reason has a sentence of its own.
  const ofReason = `health.${news.code}_${String(news.params?.['reason'] ?? '')}`;
  if (HEALTH_CODES.has(news.code) && isKey(ofReason)) return t(ofReason, news.params);
  const key = `health.${news.code}`;
  const deed = `deed.${String(news.params?.['action'])}`;
  const params = isKey(deed) ? { ...news.params, action: t(deed) } : news.params;
  return HEALTH_CODES.has(news.code) && isKey(key) ? t(key, params) : t('health.unknown', { code: news.code });
}

/** Codes with a sentence: the health line's own words share the prefix. */
export const HEALTH_CODES: ReadonlySet<string> = new Set([
  'camera_lost',
  'camera_back',
  'mic_lost',
  'mic_back',
  'mic_late',
  'destination_lost',
  'destination_back',
  'destination_unreachable',
  'destination_unreachable_name',
  'destination_held',
  'destination_refused',
  'destination_refused_key',
  'destination_refused_on_air',
  'destination_refused_address',
  'destination_refused_certificate',
  'destination_refused_closed',
  'destination_slow',
  'destination_caught_up',
  'picture_lowered',
  'picture_restored',
  'recording_stopped',
  'clean_feed_stopped',
  'clean_feed_failed',
  'viewers_lost',
  'database_suspect',
  'database_restored',
  'database_renewed',
  'recording_failed',
  'recording_behind',
  'recording_caught_up',
  'disk_low',
  'on_battery',
  'battery_low',
  'power_back',
  'not_kept_awake',
  'sources_spared',
  'disk_saving',
  'disk_enough',
  'recording_repaired',
  'encoder_behind',
  'encoder_replaced',
  'encoder_hung',
  'program_late',
  'part_restarted',
  'engine_restarted',
  'engine_away',
  'engine_away_died',
  'engine_away_version',
  'engine_away_program_missing',
  'show_lost',
  'show_ended',
  'shop_restarted',
  'missing_glyphs',
  'platform_unreachable',
  'platform_unreachable_unauthorized',
  'platform_back',
  'clock_behind',
  'clock_ahead',
  'intent_failed',
]);
