// Operations that the server has not acknowledged, in localStorage: one entry each, so that two pages do not collide.

const PREFIX = "teleloom.operation.";

/** All that is kept, oldest first; empty where the browser forbids storage. */
export function kept() {
  try {
    return Object.keys(localStorage)
      .filter((key) => key.startsWith(PREFIX))
      .map((key) => JSON.parse(localStorage.getItem(key)))
      .sort((a, b) => a.order - b.order);
  } catch {
    return [];
  }
}

/** Whether `operation` is now kept; a full or forbidden storage keeps nothing. */
export function keep(operation) {
  const { refusal, stored, ...lasting } = operation;
  try {
    localStorage.setItem(PREFIX + operation.id, JSON.stringify(lasting));
    return true;
  } catch {
    return false;
  }
}

/** Whether an operation that was kept is gone: another page of this browser has sent it. */
export function wasSentElsewhere(operation) {
  return operation.stored && localStorage.getItem(PREFIX + operation.id) === null;
}

export function forget(operation) {
  if (operation.stored) localStorage.removeItem(PREFIX + operation.id);
}
