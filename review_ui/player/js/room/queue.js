// The reviewer's queue: the episode at hand and the next two, leased and fetched ahead.
import { ApiError } from "./api.js";
import { recall, remember } from "./memory.js";

const AHEAD = 2;
const RENEW_EVERY_MS = 60_000;
const AWAKE_MS = 120_000;
const SKIPPED = "teleloom.skipped";

/** An item: {id, assignment, player: Promise<PlayerDoc>}. */
export class WorkQueue {
  #current = null;
  #ahead = [];
  #skipped = new Set(recall("sessionStorage", SKIPPED, []));
  #filling = null;
  #disposed = false;

  /** `fetched(item)` is called with each item fetched ahead, once its PlayerDoc is there. */
  constructor(api, { queue, filter, activity, fetched, lost }) {
    Object.assign(this, { api, queue, filter, activity, fetched, lost });
    this.timer = setInterval(() => this.#renew(), RENEW_EVERY_MS);
  }

  get current() {
    return this.#current;
  }

  get ahead() {
    return this.#ahead.map((item) => item.id);
  }

  /** Makes an episode the one at hand, whatever the order; raises ApiError "held" where somebody else has it. */
  async take(id) {
    const assignment = await this.api.claim(id);
    const known = this.#ahead.find((item) => item.id === id);
    this.#ahead = this.#ahead.filter((item) => item.id !== id);
    if (this.#current && this.#current.id !== id) this.#ahead.unshift(this.#current);
    this.#current = known ? { ...known, assignment } : this.#item(assignment);
    this.#skipped.delete(id);
    this.fill().catch(ignored);
    return this.#current;
  }

  /** The next item, or null when the queue is empty. The one at hand is given back. */
  async advance() {
    if (this.#ahead.length === 0) await (this.#filling ?? this.fill());
    const left = this.#current;
    this.#current = this.#ahead.shift() ?? null;
    if (left) this.api.release(left.id).catch(ignored);
    this.fill().catch(ignored);
    return this.#current;
  }

  /** Marks the episode at hand as not to be offered again in this session. */
  skip() {
    if (!this.#current) return;
    this.#skipped.add(this.#current.id);
    remember("sessionStorage", SKIPPED, [...this.#skipped]);
  }

  /** Offers again what was skipped. */
  unskip() {
    this.#skipped.clear();
    remember("sessionStorage", SKIPPED, []);
  }

  get skipped() {
    return this.#skipped.size;
  }

  /** Leases and fetches until two wait. */
  fill() {
    this.#filling ??= this.#fill().finally(() => {
      this.#filling = null;
    });
    return this.#filling;
  }

  /** Gives everything back. */
  dispose() {
    this.#disposed = true;
    clearInterval(this.timer);
    this.releaseAll();
  }

  releaseAll() {
    for (const { id } of this.#held()) this.api.release(id).catch(ignored);
  }

  async #fill() {
    while (this.#ahead.length < AHEAD && !this.#disposed) {
      const mine = this.#held().map((item) => item.id);
      const assignment = await this.api.next(this.queue, this.filter, [...mine, ...this.#skipped]);
      if (!assignment || mine.includes(assignment.episode.id)) return;
      if (this.#disposed) {
        this.api.release(assignment.episode.id).catch(ignored);
        return;
      }
      this.#ahead.push(this.#item(assignment));
    }
  }

  #item(assignment) {
    const { id } = assignment.episode;
    const player = this.api.playerDoc(id);
    const item = { id, assignment, player };
    player.then(() => this.fetched(item), ignored);
    return item;
  }

  #held() {
    return [this.#current, ...this.#ahead].filter(Boolean);
  }

  async #renew() {
    if (!this.activity.within(AWAKE_MS)) return;
    for (const item of this.#held()) {
      try {
        await this.api.renew(item.id);
      } catch (error) {
        if (error instanceof ApiError && error.kind !== "gone") this.#lose(item, error);
      }
    }
  }

  #lose(item, error) {
    this.#ahead = this.#ahead.filter((each) => each !== item);
    if (item === this.#current) this.lost(error);
  }
}

/** What is done ahead may fail: a lease runs out by itself, and what could not be fetched is asked for when needed. */
function ignored() {}
