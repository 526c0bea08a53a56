// How a change enters what the page knows. Pure.

import type { StudioEvent, StudioView } from '$lib/ipc/bindings';

/** Takes one change. Sections come whole; levels are not part of the view, and an unknown section changes nothing. */
export function reduce(view: StudioView, event: StudioEvent): StudioView {
  switch (event.section) {
    case 'show':
      return { ...view, show: event.value };
    case 'bag':
      return { ...view, bag: event.value };
    case 'orders':
      return { ...view, orders: event.value };
    case 'comments':
      return { ...view, comments: event.value };
    case 'coupons':
      return { ...view, coupons: event.value };
    case 'connections':
      return { ...view, connections: event.value };
    case 'stats':
      return { ...view, stats: event.value };
    case 'destinations':
      return { ...view, destinations: event.value };
    case 'settings':
      return { ...view, settings: event.value };
    case 'health':
      return { ...view, health: event.value };
    default:
      return view;
  }
}
