// What this browser remembers for a reviewer's comfort; a browser that forbids it just forgets.

/** The value kept under `key`, or `otherwise`. storage: "localStorage", or "sessionStorage" for this tab alone. */
export function recall(storage, key, otherwise) {
  try {
    return JSON.parse(window[storage].getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function remember(storage, key, value) {
  try {
    window[storage].setItem(key, JSON.stringify(value));
  } catch {
    // Forbidden or full: then not.
  }
}
