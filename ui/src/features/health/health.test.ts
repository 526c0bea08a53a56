import { fireEvent } from '@testing-library/svelte';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { HealthView } from '$lib/ipc/bindings';
import { FakeStudio, sampleView } from '$lib/ipc/fake';
import { healthText, setLanguage } from '$lib/i18n/index.svelte';
import { panel } from '../../../tests/render';
import HealthLine from './HealthLine.svelte';
import Problems from './Problems.svelte';

describe('problems', () => {
  beforeEach(() => setLanguage('zh-CN'));
  const news = (subject: string, code: string, level: HealthView['level'], params = {}): HealthView => ({ subject, code, params, atMs: 1, level });
  const onend = vi.fn();
  const list = (problems: HealthView[]) => panel(Problems, { problems, staleSinceMs: null, onsources: vi.fn(), onend }, new FakeStudio(sampleView('live')));

  it('show the worst, and all of them on request, also when two read the same', async () => {
    const twice = { connection: '半山茶器' };
    const page = list([news('disk', 'disk_low', 'warn', { minutes: '9' }), news('platform:a', 'platform_unreachable', 'bad', twice), news('platform:b', 'platform_unreachable', 'bad', twice)]);
    expect(page.getAllByTestId('problem').map((p) => p.dataset['code'])).toEqual(['platform_unreachable']);
    await fireEvent.click(page.get('problems-more'));
    expect(page.getAllByTestId('problem').map((p) => p.dataset['code'])).toEqual(['platform_unreachable', 'platform_unreachable', 'disk_low']);
  });

  it('say why there is no picture, and offer to end the show of another version', async () => {
    const away = (reason: string) => list([news('engine', 'engine_away', 'bad', { reason, path: '/opt/x', detail: 'gone' })]);
    const words = ['died', 'version', 'program_missing', 'engine_down'].map((reason) => {
      const page = away(reason);
      const said = page.getAllByTestId('problem')[0]?.textContent ?? '';
      expect(page.find('end-other') !== null).toBe(reason === 'version');
      page.unmount();
      return said;
    });
    expect(new Set(words).size).toBe(4);
    await fireEvent.click(away('version').get('end-other'));
    expect(onend).toHaveBeenCalledOnce();
  });

  it('say how many things were not delivered', () => {
    const said = (count: string) => healthText(news('intents', 'intent_failed', 'bad', { count }));
    expect(said('25')).toContain('25 项');
    setLanguage('en');
    expect([said('1').slice(0, 11), said('2').slice(0, 13)]).toEqual(['1 thing was', '2 things were']);
  });
});

describe('the line at the foot', () => {
  const line = (diskMinutes: number | null, recording: string | null) => {
    const view = sampleView('live');
    return panel(HealthLine, { show: { ...view.show, recording }, stats: { ...view.stats, diskMinutes }, destinations: view.destinations, trend: [], stale: false }, new FakeStudio(view));
  };

  it('has the room of a recording that runs, and keeps it in sight when it ends soon', () => {
    const hides = (page: ReturnType<typeof line>) => page.get('disk').closest('.opt') !== null;
    const idle = line(214, null);
    expect(idle.find('disk')).toBeNull();
    idle.unmount();
    const long = line(214, 'a.mp4');
    expect(hides(long)).toBe(true);
    long.unmount();
    expect(hides(line(40, 'a.mp4'))).toBe(false);
  });
});
