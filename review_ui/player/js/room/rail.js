// The verdict rail: everything that can be said about an episode, what holds now, and the buttons that decide.
import { el, keycap } from "./element.js";
import { ago, clock } from "./format.js";
import { instruction, outcome, score, trim } from "./rail_judgement.js";
import { flags, segments } from "./rail_marks.js";
import { section } from "./rail_part.js";

const REASONS = 3;

/**
 * Calls on.act(action, argument) for what has a key, and on.seek, on.tag, on.untag, on.note, on.unflag, on.label,
 * on.compare; on.changed when it wants to be drawn again.
 */
export class Rail {
  #adopt = null;
  #allReasons = false;
  #episode = null;

  constructor(on) {
    this.on = on;
    this.body = el("div", { class: "rail-body" });
    this.footer = el("div", { class: "rail-footer" });
    this.tag = this.#field("Add a tag", 100, (words) => on.tag(words));
    this.note = this.#field("Add a note", 2000, (words) => on.note(words));
    this.element = el("aside", { class: "rail", "aria-label": "Verdict" }, this.body, this.footer);
    this.historyOpen = false;
  }

  /** model: {assignment, view, player, range, suggested, mode, queue, busy, started}. */
  render(model) {
    const focused = this.element.getRootNode().activeElement?.dataset?.focus;
    const { assignment, view, player } = model;
    if (this.#episode !== assignment.episode.id) this.#forget(assignment.episode.id);
    const sections = [
      this.#blind(assignment),
      instruction(this.on, view, assignment),
      this.#opinions(view, model),
      outcome(this.on, view, assignment),
      score(this.on, view),
      player ? trim(this.on, model) : null,
      player ? this.#risks(player) : null,
      segments(this.on, view),
      flags(this.on, view, model.started),
      this.#words(view),
      this.#history(assignment),
    ];
    this.body.replaceChildren(...sections.filter(Boolean));
    this.footer.replaceChildren(...this.#buttons(model));
    if (focused) this.element.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  #forget(episode) {
    this.#episode = episode;
    this.#allReasons = false;
    this.#adopt = null;
  }

  /** The opinion to take trim, segments and quality from, when adjudicating. */
  get adopt() {
    return this.#adopt;
  }

  #blind({ blind }) {
    return blind ? el(
      "p",
      { class: "blind" },
      "A second opinion: what others said shows once you have decided.",
    ) : null;
  }

  #risks({ risks, findings }) {
    const reasons = risks.length > 0 ? risks : findings.filter((finding) => finding.severity !== "note");
    if (reasons.length === 0) return null;
    const shown = this.#allReasons ? reasons : reasons.slice(0, REASONS);
    const more = reasons.length - shown.length;
    const rest = more > 0 ? el(
      "button",
      { type: "button", class: "link", data: { focus: "reasons" }, onclick: () => this.#showReasons() },
      `${more} more`,
    ) : null;
    return section(
      "Why look",
      rest,
      el("ul", { class: "reasons" }, shown.map((reason) => el("li", {}, this.#reason(reason)))),
    );
  }

  #showReasons() {
    this.#allReasons = true;
    this.on.changed();
  }

  #reason(reason) {
    const focus = `reason-${reason.kind}-${reason.start_ns}`;
    const link = el(
      "button",
      {
        type: "button",
        class: "reason",
        title: "Go there",
        data: { focus },
        onclick: () => this.on.seek(reason.start_ns),
      },
      el("time", {}, clock(reason.start_ns)),
      reason.message,
    );
    if (!reason.other) return link;
    return el(
      "span",
      { class: "twin" },
      link,
      el("button", { type: "button", class: "link", onclick: () => this.on.compare(reason.other) }, "Compare"),
    );
  }

  #opinions(view, { mode }) {
    const opinions = view.opinions ?? [];
    if (opinions.length === 0 || view.reviewers_wanted < 2) return null;
    const lines = opinions.map((opinion) => {
      const decided = opinion.decision === "approve" ? "approves" : `rejects: ${opinion.reason}`;
      const words = [decided, opinion.outcome, opinion.score && `quality ${opinion.score}`];
      const adopt = el(
        "button",
        {
          type: "button",
          class: "chip",
          "aria-pressed": String(this.#adopt === opinion.author),
          title: `Take ${opinion.author}'s trim, segments and quality`,
          onclick: () => this.#chooseAdopt(opinion.author),
        },
        "Take theirs",
      );
      return el(
        "li",
        { class: `opinion-line ${opinion.decision}` },
        el("b", {}, opinion.author),
        ` ${words.filter(Boolean).join(" · ")} `,
        mode === "adjudicate" ? adopt : null,
      );
    });
    return section("Opinions", null, el("ul", { class: "opinions-list" }, lines));
  }

  #chooseAdopt(author) {
    this.#adopt = this.#adopt === author ? null : author;
    this.on.changed();
  }

  #words(view) {
    const tags = view.tags.map((tag) =>
      el(
        "span",
        { class: "flag" },
        el("span", {}, tag),
        el(
          "button",
          {
            type: "button",
            class: "x",
            title: `Take the tag ${tag} off`,
            "aria-label": `Take the tag ${tag} off`,
            onclick: () => this.on.untag(tag),
          },
          "×",
        ),
      ),
    );
    const notes = view.notes.map((note) => el("li", {}, note));
    return section(
      "Tags and notes",
      null,
      tags.length > 0 ? el("div", { class: "chips" }, tags) : null,
      notes.length > 0 ? el("ul", { class: "notes" }, notes) : null,
      el("div", { class: "fields" }, this.tag, this.note),
    );
  }

  #field(words, longest, done) {
    return el("input", {
      type: "text",
      maxlength: longest,
      placeholder: words,
      "aria-label": words,
      data: { focus: words },
      onkeydown: (event) => {
        if (event.key === "Escape") event.target.blur();
        if (event.key !== "Enter" || !event.target.value.trim()) return;
        done(event.target.value.trim());
        event.target.value = "";
      },
    });
  }

  #history({ history }) {
    if (history.length === 0) return null;
    const lines = [...history].reverse().map(
      (line) => el(
        "li",
        { class: line.undone ? "undone" : "" },
        el("b", {}, line.mine ? "you" : line.author),
        ` ${line.what} `,
        el("span", { class: "soft" }, ago(line.when)),
      ),
    );
    return el(
      "details",
      { class: "history", open: this.historyOpen, ontoggle: (event) => (this.historyOpen = event.target.open) },
      el("summary", { data: { focus: "history" } }, `History (${history.length})`),
      el("ul", {}, lines),
    );
  }

  #buttons({ mode, queue, busy, view }) {
    const next = queue ? " · next" : "";
    const decide = mode === "segments" ? ["Done", "Reject"] : ["Approve", "Reject"];
    const toSettle = mode === "adjudicate" && view.status === "disputed";
    const words = toSettle ? "Disputed: your word settles it" : statusInWords(view);
    const status = view.status === "unreviewed" || queue ? null : el("p", { class: `status ${view.status}` }, words);
    const act = (words, action, key, tone, argument = null) => el(
      "button",
      {
        type: "button",
        class: `button ${tone}`,
        disabled: busy,
        data: { focus: action },
        onclick: () => this.on.act(action, argument),
      },
      el("span", {}, words),
      keycap(key),
    );
    return [
      status,
      el(
        "div",
        { class: "decide" },
        act(decide[0] + next, "approve", "A", "good"),
        act(decide[1], "reject", "D", "bad"),
      ),
      el(
        "div",
        { class: "decide quiet" },
        queue ? act("Skip", "skip", "N", "quiet") : null,
        act("Undo", "undo", "U", "quiet"),
        act("Keys", "help", "?", "quiet"),
      ),
    ].filter(Boolean);
  }
}

function statusInWords(view) {
  const by = view.decided_by ? ` by ${view.decided_by}` : "";
  const why = view.reason ? `: ${view.reason}` : "";
  return `${view.status[0].toUpperCase()}${view.status.slice(1)}${by}${why}`;
}
