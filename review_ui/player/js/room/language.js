// What the operator was asked to do: correct it, or add one more way of saying it, in a language.
import { ask, button } from "./dialog.js";
import { el } from "./element.js";

const LANGUAGES = [
  ["en", "English"],
  ["de", "German"],
  ["fr", "French"],
  ["es", "Spanish"],
  ["it", "Italian"],
  ["pt", "Portuguese"],
  ["nl", "Dutch"],
  ["pl", "Polish"],
  ["cs", "Czech"],
  ["tr", "Turkish"],
  ["ar", "Arabic"],
  ["hi", "Hindi"],
  ["zh", "Chinese"],
  ["ja", "Japanese"],
  ["ko", "Korean"],
];

/** Resolves to an instruction annotation, or undefined. `instructions`: what holds now, {text, language, spoken}. */
export function askInstruction(root, instructions) {
  return ask(
    root,
    "Instruction",
    (close) => {
      const spoken = instructions.find((each) => each.spoken) ?? instructions[0];
      const text = el(
        "input",
        {
          type: "text",
          maxlength: 500,
          autofocus: true,
          "aria-label": "One more way of saying it",
          placeholder: spoken?.text ?? "",
        },
      );
      const language = languageField(spoken?.language ?? "en");
      const action = actionChoice((chosen) => {
        const replacing = chosen === "replace";
        if (replacing && !text.value) text.value = spoken?.text ?? "";
        else if (!replacing && text.value === spoken?.text) text.value = "";
        text.setAttribute("aria-label", replacing ? "The right instruction" : "One more way of saying it");
        text.focus();
      });
      const submit = (event) => {
        event.preventDefault();
        const words = text.value.trim();
        if (words) close({
          kind: "instruction",
          action: action.value,
          text: words,
          language: language.value.trim() || "en",
        });
      };
      return [
        known(instructions),
        el(
          "form",
          { onsubmit: submit },
          action.element,
          el("div", { class: "line" }, text, language, languageList()),
          el(
            "div",
            { class: "buttons" },
            button("Back", () => close()),
            el(
              "button",
              { class: "button primary", type: "submit" },
              "Save",
              el("kbd", { "aria-hidden": "true" }, "Enter"),
            ),
          ),
        ),
      ];
    },
    "wide",
  );
}

function known(instructions) {
  return el(
    "ul",
    { class: "known" },
    instructions.map(
      (each) => el(
        "li",
        {},
        el("span", { class: "lang" }, each.language),
        each.text,
        each.spoken ? el("i", {}, " as asked") : null,
      ),
    ),
  );
}

function actionChoice(changed) {
  const state = { value: "add" };
  const choices = [["add", "Add a paraphrase"], ["replace", "Correct it"]].map(([value, words]) =>
    el(
      "label",
      { class: "choice" },
      el(
        "input",
        {
          type: "radio",
          name: "action",
          value,
          checked: value === "add",
          onchange: () => changed((state.value = value)),
        },
      ),
      words,
    ),
  );
  return {
    element: el("div", { class: "choices", role: "radiogroup", "aria-label": "What to do" }, choices),
    get value() {
      return state.value;
    },
  };
}

function languageField(value) {
  return el(
    "input",
    {
      type: "text",
      class: "language",
      list: "languages",
      maxlength: 35,
      value,
      "aria-label": "Language, as a code like en or de",
      title: "Language, as a code like en or de",
    },
  );
}

function languageList() {
  return el("datalist", { id: "languages" }, LANGUAGES.map(([code, name]) => el("option", { value: code }, name)));
}
