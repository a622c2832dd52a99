// The review's JSON API. Every refusal becomes an ApiError whose `kind` says what to do about it.

const PATIENCE_MS = 15_000;

/** kind: what the server said ("stale", "held", …), or "gone" where none answered. body: its whole answer. */
export class ApiError extends Error {
  constructor(kind, message, body = {}) {
    super(message);
    this.kind = kind;
    this.body = body;
  }
}

export class Api {
  constructor(origin = "") {
    this.prefix = `${origin}/teleloom`;
  }

  me() {
    return this.#call("GET", "/api/me");
  }

  /** The next assignment of a queue, or null when it is empty. */
  next(queue, filter, without) {
    return this.#call("POST", "/api/next", filter ? { queue, filter, without } : { queue, without });
  }

  episode(id) {
    return this.#call("GET", `/api/episodes/${encodeURIComponent(id)}`);
  }

  claim(id) {
    return this.#call("POST", `/api/episodes/${encodeURIComponent(id)}/claim`, {});
  }

  renew(id) {
    return this.#call("POST", `/api/episodes/${encodeURIComponent(id)}/renew`, {});
  }

  /** Gives the lease back; also works while the page is being left. */
  release(id) {
    return this.#call("POST", `/api/episodes/${encodeURIComponent(id)}/release`, {}, { keepalive: true });
  }

  playerDoc(id) {
    return this.#call("GET", `/media/${encodeURIComponent(id)}/player.json`);
  }

  /** Sends one operation of the log: what it is follows from its `action`. */
  send(operation) {
    const { action, episode, body } = operation;
    const path = action === "undo-last" ? "/api/undo-last" : `/api/episodes/${encodeURIComponent(episode)}/${action}`;
    return this.#call("POST", path, { operation: operation.id, ...body });
  }

  async #call(method, path, body, { keepalive = false } = {}) {
    let response;
    try {
      response = await fetch(this.prefix + path, {
        method,
        keepalive,
        cache: "no-store",
        credentials: "same-origin",
        headers: body === undefined ? {} : { "Content-Type": "application/json" },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: keepalive ? undefined : AbortSignal.timeout(PATIENCE_MS),
      });
    } catch (error) {
      throw new ApiError("gone", "the server does not answer", { cause: String(error) });
    }
    if (response.status === 204) return null;
    const answer = await readJson(response);
    if (response.ok) return answer;
    throw new ApiError(
      kindOf(response.status, answer),
      answer.error ?? `the server answered ${response.status}`,
      answer,
    );
  }
}

async function readJson(response) {
  try {
    return await response.json();
  } catch {
    throw new ApiError(kindOf(response.status, {}), `the server's answer (${response.status}) is not JSON`);
  }
}

function kindOf(status, answer) {
  if (status === 401) return "signed-out";
  if (status >= 500) return "gone";
  return answer.kind ?? "bad-request";
}
