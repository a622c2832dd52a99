/**
 * Publishes `window.teleloomPlayer`: what the deck shows, for tests and for support. Nothing can be changed through it.
 *
 * @param {import("./deck.js").Deck} deck
 * @param {object} [more]  an object with getters that are added
 * @returns {() => void} takes it away
 */
export function publishHook(deck, more = {}) {
  const names = ["shown", "tNs", "playing", "rate", "exact", "pending", "main", "cameras", "notes", "sources"];
  const own = Object.fromEntries(names.map((name) => [name, { get: () => deck[name], enumerable: true }]));
  const hook = Object.freeze(Object.create(null, { ...own, ...Object.getOwnPropertyDescriptors(more) }));
  window.teleloomPlayer = hook;
  return () => {
    if (window.teleloomPlayer === hook) delete window.teleloomPlayer;
  };
}
