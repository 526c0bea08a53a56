import { boot } from './boot';
import StudioWindow from './StudioWindow.svelte';

void boot('studio', StudioWindow, 'app.title');
