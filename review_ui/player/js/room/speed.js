// The speeds of playing.
import { recall, remember } from "./memory.js";

const RATES = [0.25, 0.5, 1, 1.5, 2, 3, 4];
const FIRST = 2;
const KEY = "teleloom.rate";

/** The speed that the reviewer chose last. */
export function usualRate() {
  const rate = recall("localStorage", KEY, FIRST);
  return RATES.includes(rate) ? rate : FIRST;
}

/** The speed one step faster (1) or slower (-1). */
export function nextRate(rate, direction) {
  const next = RATES.indexOf(rate) + direction;
  return RATES[Math.min(RATES.length - 1, Math.max(0, next))];
}

export function keepRate(rate) {
  remember("localStorage", KEY, rate);
}
