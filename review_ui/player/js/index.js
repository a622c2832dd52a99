// The player's entry: mounts the review room into an element, once, and takes it away again.
import { Api } from "./room/api.js";
import { Compare } from "./room/compare.js";
import { el } from "./room/element.js";
import { notice } from "./room/notice.js";
import { QueueFlow } from "./room/queue_flow.js";
import { Room } from "./room/room.js";
import { SingleFlow } from "./room/single_flow.js";

const STYLES = ["theme.css", "room.css", "timeline.css", "rail.css", "dialog.css"];
const mounted = new WeakMap();

/**
 * Mounts the room, or brings one that is there up to `data`: {mode, episode_id, other_id, t_ns, queue_filter}.
 * `setStateValue("episode", id)` is told which episode is shown. Returns the function that unmounts.
 */
export function mount(parent, data, { setStateValue = () => {} } = {}) {
  const known = mounted.get(parent);
  if (known) known.update(data);
  else mounted.set(parent, new Mount(parent, data, setStateValue));
  return () => unmount(parent);
}

export function unmount(parent) {
  mounted.get(parent)?.dispose();
  mounted.delete(parent);
}

class Mount {
  #content = null;
  #over = null;
  #disposed = false;
  #told = null;

  constructor(parent, data, setStateValue) {
    this.data = data;
    this.api = new Api();
    this.setStateValue = setStateValue;
    this.root = el(
      "div",
      { class: "teleloom-room", tabIndex: -1, role: "application", "aria-label": "Episode review" },
    );
    this.styles = STYLES.map(
      (name) => el("link", { rel: "stylesheet", href: new URL(`../css/${name}`, import.meta.url).href }),
    );
    parent.append(...this.styles, this.root);
    this.ready = this.#start();
  }

  /**
   * Other data: another mode starts anew, another episode is gone to. What is the same changes nothing, nor does an
   * episode that the queue has shown: the page has it from us.
   */
  update(data) {
    const before = this.data;
    if (JSON.stringify(before) === JSON.stringify(data)) return;
    this.data = data;
    const elsewhere = data.episode_id && data.episode_id !== before.episode_id && !this.#content?.knows?.(
      data.episode_id,
    );
    const anew = ["mode", "other_id", "queue_filter"].some(
      (name) => JSON.stringify(before[name]) !== JSON.stringify(data[name]),
    );
    if (anew || (elsewhere && !this.#content?.flow)) this.#restart();
    else if (elsewhere) this.#content.flow.goto(data.episode_id, data.t_ns ?? null);
  }

  dispose() {
    this.#disposed = true;
    this.#clear();
    this.root.remove();
    for (const style of this.styles) style.remove();
  }

  #restart() {
    this.#clear();
    this.ready = this.#start();
  }

  #clear() {
    this.#over?.dispose();
    this.#content?.dispose();
    this.#over = null;
    this.#content = null;
    this.root.replaceChildren();
  }

  async #start() {
    const { mode, episode_id: episodeId, other_id: otherId } = this.data;
    this.root.replaceChildren(notice({ title: "Loading", busy: true }));
    await Promise.all(this.styles.map(loaded));
    const me = mode === "compare" ? null : await this.#me();
    if (this.#disposed || (mode !== "compare" && !me)) return;
    this.root.replaceChildren();
    this.#content = mode === "compare" ? new Compare(
      this.root,
      { api: this.api, ids: [episodeId, otherId], tNs: this.data.t_ns ?? 0 },
    ) : this.#room(me);
    await this.#content.start();
  }

  #room(me) {
    const { mode, episode_id: episodeId, t_ns: tNs, queue_filter: filter } = this.data;
    const Flow = mode === "review" || mode === "segments" ? QueueFlow : SingleFlow;
    const options = { mode, episodeId, tNs: tNs ?? null, filter, compare: (other) => this.#compare(other) };
    return new Room(
      this.root,
      { api: this.api, me, mode, flow: (room) => new Flow(room, options), emit: (id) => this.#tell(id) },
    );
  }

  /** Lays the comparison of the episode at hand with another over the room. */
  #compare(other) {
    const room = this.#content;
    room.deck.pause();
    room.rest();
    const back = () => {
      this.#over.dispose();
      this.#over = null;
      room.wake();
    };
    this.#over = new Compare(this.root, { api: this.api, ids: [room.item.id, other], tNs: room.deck.tNs, back });
    this.#over.start();
  }

  /** Who reviews; asked for until the server answers. */
  async #me() {
    while (!this.#disposed) {
      try {
        return await this.api.me();
      } catch (error) {
        if (error.kind === "signed-out") {
          this.root.replaceChildren(
            notice({
              title: "You are signed out",
              words: "Sign in to review.",
              tone: "bad",
              link: ["Sign in", window.location.href],
            }),
          );
          return null;
        }
        this.root.replaceChildren(
          notice({ title: "The server does not answer", words: error.message, tone: "bad", busy: true }),
        );
        await new Promise((resolve) => setTimeout(resolve, 2_000));
        this.root.replaceChildren(notice({ title: "Loading", busy: true }));
      }
    }
    return null;
  }

  #tell(id) {
    if (id === this.#told) return;
    this.#told = id;
    this.setStateValue("episode", id);
  }
}

function loaded(link) {
  if (link.sheet) return Promise.resolve();
  return new Promise((resolve) => {
    link.addEventListener("load", resolve, { once: true });
    link.addEventListener("error", resolve, { once: true });
  });
}
