// How a page starts.

import { mount, type Component } from 'svelte';
import { tauriClient, type Client, type WindowLabel } from '$lib/ipc/client';
import { setLanguage, type TextKey } from '$lib/i18n/index.svelte';
import type { StudioStore } from '$lib/stores/studio.svelte';
import Root from './Root.svelte';
import '../styles/fonts.css';
import '../styles/tokens.css';
import '../styles/base.css';

async function client(label: WindowLabel): Promise<Client> {
  // A page in a plain browser, for whoever works on its looks. Not part of a production build.
  if (import.meta.env.DEV) {
    const query = new URLSearchParams(location.search);
    if (query.has('fake')) return (await import('$lib/ipc/fake')).fakeClient(query);
  }
  return tauriClient(label);
}

/** Mounts the page of a window into `#app`. */
export async function boot(label: WindowLabel, page: Component<{ store: StudioStore }>, title: TextKey): Promise<void> {
  // Until the settings are known.
  setLanguage(navigator.language.startsWith('en') ? 'en' : 'zh-CN');
  const target = document.getElementById('app');
  if (target) mount(Root, { target, props: { client: await client(label), page, title } });
}
