// Renders a panel with a studio that is inside the test.

import { render } from '@testing-library/svelte';
import type { Component, ComponentProps } from 'svelte';
import { setLanguage } from '../src/lib/i18n/index.svelte';
import { FakeStudio, sampleView } from '../src/lib/ipc/fake';
import { Clock } from '../src/lib/stores/clock.svelte';
import { SHARED, type Shared } from '../src/lib/stores/context';
import { Notices } from '../src/lib/stores/notices.svelte';

/** A panel in a page, with everything around it. */
export function panel<C extends Component<any>>(component: C, props: ComponentProps<C>, fake = new FakeStudio(sampleView('live'))) {
  setLanguage('zh-CN');
  const shared: Shared = { client: fake.client, clock: new Clock(), notices: new Notices(), shops: () => fake.view.connections };
  const page = render(component as Component<Record<string, unknown>>, { props: props as Record<string, unknown>, context: new Map([[SHARED, shared]]) });
  const get = (id: string) => page.getByTestId(id);
  const find = (id: string) => page.queryByTestId(id);
  return { ...page, get, find, fake, shared };
}
