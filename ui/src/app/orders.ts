import { boot } from './boot';
import OrdersWindow from './OrdersWindow.svelte';

void boot('orders', OrdersWindow, 'app.ordersTitle');
