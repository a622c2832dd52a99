/**
 * Lets so many tasks run at once. A browser opens six connections to a server; pictures must leave some to the rest.
 */
export class Gate {
  #free;
  /** @type {(() => void)[]} */
  #queue = [];

  /** @param {number} places */
  constructor(places) {
    this.#free = places;
  }

  /**
   * @template Result
   * @param {() => Promise<Result>} task
   * @param {boolean} first  before all that wait already
   * @returns {Promise<Result>}
   */
  async run(task, first) {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise((resolve) => (first ? this.#queue.unshift(resolve) : this.#queue.push(resolve)));
    try {
      return await task();
    } finally {
      const next = this.#queue.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}
