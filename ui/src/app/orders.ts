import { boot } from './boot';
import OrdersWindow from './OrdersWindow.svelte';

void boot(OrdersWindow, 'app.ordersTitle');
