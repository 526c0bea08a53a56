/** A seller ships with one carrier most of the day: the next form starts with it. */
export const lastCarrier = $state({ name: '' });
