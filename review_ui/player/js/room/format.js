// Times and figures as people read them. Times come as nanoseconds from the episode's start.

export const NS_PER_S = 1e9;

/** 83.456 s → "1:23.46": minutes, seconds and hundredths. */
export function clock(ns) {
  const hundredths = Math.round(Math.max(0, ns) / 1e7);
  const minutes = Math.floor(hundredths / 6000);
  const seconds = ((hundredths % 6000) / 100).toFixed(2).padStart(5, "0");
  return `${minutes}:${seconds}`;
}

/** "8.0 s", or "1:05 min" from a minute on. */
export function length(ns) {
  const seconds = ns / NS_PER_S;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}

/** When it was said, from an ISO time: "just now", "12 min ago", "14:03", "20 Nov, 14:03". */
export function ago(iso, now = new Date()) {
  const then = new Date(iso);
  const seconds = (now - then) / 1000;
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  const time = then.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (then.toDateString() === now.toDateString()) return time;
  return `${then.toLocaleDateString("en-GB", { day: "numeric", month: "short" })}, ${time}`;
}

/** "for 1 more minute", "for 9 more minutes". */
export function remaining(seconds) {
  const minutes = Math.max(1, Math.ceil(seconds / 60));
  return `${minutes} more minute${minutes === 1 ? "" : "s"}`;
}

/** "1 edit", "3 edits". */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Seconds between ticks, so that about `wanted` of them fit into `seconds`. */
export function tickStep(seconds, wanted) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600];
  return steps.find((step) => seconds / step <= wanted) ?? 1200;
}

export function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
