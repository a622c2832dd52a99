// The operation log: every edit is sent at once, in order, one at a time, until the server has it.
// What is not acknowledged is kept and sent again after a reload; the server takes an operation it has already as done.
import { ApiError } from "./api.js";
import { forget, keep, kept, wasSentElsewhere } from "./outbox.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 4_000;
const LOOK_MS = 20;

/**
 * An operation: {id, order, author, action, episode, body}. action: "annotations", "undo", "undo-last", "adjudicate".
 * body.seen_revision is foreseen: each operation before it on the same episode adds as many revisions as it holds
 * annotations, so a chain of edits needs no answer in between.
 *
 * Calls `on.change()` when what waits has changed, `on.saved(operation, document)`, `on.refused(operation, error)`.
 */
export class CommitLog {
  #waiting = [];
  #settle = new Map();
  #running = false;
  #pause = FIRST_PAUSE_MS;
  #wake = () => {};
  #disposed = false;

  constructor(api, author, on) {
    this.api = api;
    this.author = author;
    this.on = on;
    this.trouble = null; // null | "gone" | "signed-out"
    const left = kept();
    this.#waiting = left.filter((operation) => operation.author === author);
    for (const operation of this.#waiting) operation.stored = true;
    this.foreign = left.length - this.#waiting.length; // of somebody else who signed in here before
    window.addEventListener("online", this.retry);
    window.addEventListener("focus", this.retry);
  }

  /** Sends what an earlier page left. */
  start() {
    this.#run();
  }

  get waiting() {
    return this.#waiting.length;
  }

  /** The operations on an episode that the server has not acknowledged, oldest first. */
  pending(episode) {
    return this.#waiting.filter((operation) => operation.episode === episode);
  }

  /** The operations that the server refused and that nobody decided on yet. */
  get refused() {
    return this.#waiting.filter((operation) => operation.refusal);
  }

  /** Adds an edit; resolves to the document that acknowledged it, or null when it was refused and dropped. */
  add(action, episode, revision, body) {
    const earlier = this.pending(episode);
    const seen = earlier.length > 0 ? earlier.at(-1).body.seen_revision + weight(earlier.at(-1)) : revision;
    const operation = {
      id: crypto.randomUUID(),
      order: Date.now() + this.#waiting.length / 1000,
      author: this.author,
      action,
      episode,
      body: action === "undo-last" ? body : { ...body, seen_revision: seen },
    };
    this.#waiting.push(operation);
    this.#keep(operation);
    const settled = new Promise((resolve) => this.#settle.set(operation.id, resolve));
    this.on.change();
    this.#run();
    return settled;
  }

  /** Resolves to true when nothing waits any more; to false after `patienceMs`. */
  async flushed(patienceMs = Infinity) {
    const begun = performance.now();
    while (this.#waiting.length > 0) {
      if (performance.now() - begun > patienceMs) return false;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    return true;
  }

  /** Sends an episode's refused operations again, as answers to `revision`. */
  repeat(episode, revision) {
    let seen = revision;
    for (const operation of this.pending(episode)) {
      operation.body.seen_revision = seen;
      delete operation.refusal;
      seen += weight(operation);
      this.#keep(operation);
    }
    this.on.change();
    this.#run();
  }

  /** Gives up on what is pending for an episode. */
  drop(episode) {
    for (const operation of this.pending(episode)) this.#remove(operation, null);
    this.on.change();
    this.#run();
  }

  /** Tries at once, when it was waiting for the server. */
  retry = () => {
    this.#pause = FIRST_PAUSE_MS;
    this.#wake();
  };

  dispose() {
    this.#disposed = true;
    this.#wake();
    window.removeEventListener("online", this.retry);
    window.removeEventListener("focus", this.retry);
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    try {
      for (let operation = this.#sendable(); operation && !this.#disposed; operation = this.#sendable()) {
        await exclusively(() => this.#send(operation));
      }
    } finally {
      this.#running = false;
    }
  }

  /** The oldest operation whose episode has no refused one before it; an undo of the last word waits for all. */
  #sendable() {
    const blocked = new Set(this.refused.map((operation) => operation.episode));
    const first = this.#waiting.find((operation) => !blocked.has(operation.episode));
    return first?.action === "undo-last" && blocked.size > 0 ? undefined : first;
  }

  async #send(operation) {
    if (wasSentElsewhere(operation)) {
      this.#remove(operation, operation.episode && (await this.api.episode(operation.episode)));
      this.on.change();
      return;
    }
    try {
      const document = await this.api.send(operation);
      this.trouble = null;
      this.#pause = FIRST_PAUSE_MS;
      this.#acknowledged(operation, document);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      await this.#failed(operation, error);
    }
  }

  #acknowledged(operation, document) {
    this.#remove(operation, document);
    if (operation.action === "undo-last" && document) {
      for (const later of this.pending(document.episode.id)) {
        later.body.seen_revision += 1;
        this.#keep(later);
      }
    }
    this.on.saved(operation, document);
    this.on.change();
  }

  async #failed(operation, error) {
    if (error.kind === "gone" || error.kind === "signed-out") {
      this.trouble = error.kind;
      this.on.change();
      await this.#rest();
      return;
    }
    operation.refusal = { kind: error.kind, message: error.message, ...error.body };
    this.on.change();
    this.on.refused(operation, error);
  }

  #rest() {
    const pause = this.#pause;
    this.#pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, pause);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #keep(operation) {
    operation.stored = keep(operation);
  }

  #remove(operation, document) {
    this.#waiting = this.#waiting.filter((each) => each.id !== operation.id);
    forget(operation);
    this.#settle.get(operation.id)?.(document);
    this.#settle.delete(operation.id);
  }
}

/** How many revisions an operation adds. */
function weight({ action, body }) {
  return action === "annotations" ? body.annotations.length : 1;
}

/** One page of a browser sends at a time, so that the order holds across pages too. */
function exclusively(send) {
  return navigator.locks ? navigator.locks.request("teleloom.commits", send) : send();
}
