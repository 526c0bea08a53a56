import { boot } from './boot';
import StudioWindow from './StudioWindow.svelte';

void boot(StudioWindow, 'app.title');
