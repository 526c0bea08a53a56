import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { en } from './en';
import { errorText, fill, HEALTH_CODES, healthText, setLanguage, t } from './index.svelte';
import { zhCN, type TextKey } from './zh-CN';

const keys = Object.keys(zhCN) as TextKey[];
const names = (text: string) => [...new Set([...text.matchAll(/\{([a-zA-Z_]+)\}/g)].map((m) => m[1]))].sort();

afterEach(() => setLanguage('zh-CN'));

describe('texts', () => {
  it('are complete in both languages, with the same values', () => {
    expect(Object.keys(en).sort()).toEqual([...keys].sort());
    for (const key of keys) {
      expect(names(en[key]), key).toEqual(names(zhCN[key]));
      if (key !== 'strip.pieces') expect(en[key], key).not.toBe('');
      expect(zhCN[key], key).not.toBe('');
    }
  });

  it('keep the rules of wording', () => {
    for (const key of keys) {
      expect(zhCN[key], key).not.toMatch(/[!！]|请稍候|\|/);
      expect(en[key], key).not.toMatch(/!|please wait/i);
      expect(en[key], key).not.toMatch(/[\u2E80-\u9FFF\uFF00-\uFFEF]/);
    }
  });

  it('say something for every code the program can send', () => {
    const folder = join(import.meta.dirname, '../../../../src-tauri/crates/studio/src/messages');
    const rust = ['errors.rs', 'health.rs'].map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
    const table = (name: string) => {
      const body = rust.slice(rust.indexOf(`const ${name}:`));
      return [...body.slice(0, body.indexOf('\n];')).matchAll(/^ {4,8}\(?"([a-z_]+)",(?=$| ")/gm)].map((m) => m[1] ?? '');
    };
    // Codes of the command line's own options: no window can meet them.
    const commandLine = ['usage', 'bad_value', 'bad_duration', 'bad_canvas', 'bad_source', 'bad_address', 'bad_record', 'clean_feed_same', 'needs_option', 'key_file_count', 'key_file_missing', 'sku_not_found', 'not_open', 'token_file_unreadable', 'order_of_two_shops', 'window_missing', 'display_silent', 'answer_too_long', 'interrupted'];
    const errors = table('ERRORS').filter((code) => !commandLine.includes(code));
    const health = table('HEALTH');
    expect(errors.length).toBeGreaterThan(35);
    expect(health.length).toBeGreaterThan(15);
    for (const code of errors) expect(keys, code).toContain(`error.${code}`);
    for (const code of table('NOTES')) expect(keys, code).toContain(`note.${code}`);
    expect(table('NOTES').length).toBeGreaterThan(8);
    for (const code of health) {
      expect(keys, code).toContain(`health.${code}`);
      expect([...HEALTH_CODES], code).toContain(code);
    }
  });

  it('name the field and the rule that broke', () => {
    const text = (field: string, rule: string) => errorText({ code: 'invalid', params: { field, rule } });
    expect(text('discount', 'zero')).toBe('减多少要大于 0。');
    expect(text('discount', 'range')).toBe('减的要比满的少。');
    expect(text('name', 'empty')).toBe('名称还没填。');
    expect(text('tracking', 'format')).toBe('快递单号里有不能用的字符。');
    expect(text('from_the_future', 'odd')).toBe('有一项填得不对。');
  });

  it('tell a seller about the machinery in one language, with a next step', () => {
    for (const code of HEALTH_CODES) {
      const zh = zhCN[`health.${code}` as TextKey];
      expect(zh, code).toMatch(/降低|校准|检查|换|插|腾|关掉|装上|重新|不用操作|核对|不要|停掉|看标红|填一次|自动继续/);
      expect(zh.replace(/\{[a-z_]+\}/g, ''), code).not.toMatch(/[A-Za-z]/);
      expect(names(zh).filter((name) => ['status', 'reason', 'part', 'action'].includes(name ?? '')), code).toEqual([]);
      expect(en[`health.${code}` as TextKey], code).toMatch(/[Uu]se|[Ss]et|[Cc]heck|[Cc]hange|[Pp]lug|[Ff]ree|[Cc]lose|[Ii]nstall|nothing to do|[Dd]o not|[Ss]top|[Gg]et|[Ll]ook|[Ee]nter|[Cc]opy|[Gg]o live/);
    }
    const refused = (reason: string) => healthText({ code: 'destination_refused', params: { host: 'h', reason } });
    expect(new Set(['key', 'on_air', 'address', 'certificate', 'closed'].map(refused)).size).toBe(5);
    expect(refused('from_the_future')).toBe(refused('key'));
  });

  it('have a sentence for each broken rule of an address', () => {
    expect(errorText({ code: 'bad_url', params: { rule: 'srt', field: 'url' } })).toContain('SRT');
    expect(errorText({ code: 'bad_url', params: { rule: 'from_the_future' } })).toContain('rtmp://');
  });

  it('never show an unknown code as an error, and never break on one', () => {
    expect(errorText({ code: 'from_the_future' })).toBe('没有做成。再试一次。');
    expect(healthText({ code: 'label' })).toContain('label');
    expect(healthText({ code: 'disk_low', params: { minutes: '12' } })).toContain('12 分钟');
  });

  it('take values as data', () => {
    expect(fill('{a} and {b}', { a: '{b}', b: '$&' })).toBe('{b} and $&');
    expect(fill('{count} order|{count} orders', { count: 1 })).toBe('1 order');
    expect(fill('{count} order|{count} orders', { count: 2 })).toBe('2 orders');
    expect(fill('{gone}')).toBe('?');
  });

  it('follow the language of the settings; anything unknown is Chinese', () => {
    setLanguage('en');
    expect(t('strip.live')).toBe('LIVE');
    setLanguage('fr');
    expect(t('strip.live')).toBe('直播中');
  });
});
