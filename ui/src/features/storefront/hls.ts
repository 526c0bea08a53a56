import type Hls from 'hls.js';
// The file itself, and not a chunk of ours: only of a file we know the address.
import address from 'hls.js/dist/hls.light.min.mjs?url';

type Import = (url: string) => Promise<{ default: typeof Hls }>;

const fetched: Import = (url) => import(/* @vite-ignore */ url) as Promise<{ default: typeof Hls }>;

/**
 * Loads hls.js, once. Throws when it does not come, and can be called again: many browsers remember a module that failed
 * and never fetch it again under the same address, so each further try has one of its own.
 */
export function loader(get: Import = fetched): () => Promise<typeof Hls> {
  let loaded: typeof Hls | null = null;
  let failures = 0;
  return async () => {
    if (loaded) return loaded;
    try {
      ({ default: loaded } = await get(failures === 0 ? address : `${address}?try=${failures}`));
      return loaded;
    } catch (error) {
      failures += 1;
      throw error;
    }
  };
}

export const loadHls = loader();
