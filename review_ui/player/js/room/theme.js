// Light or dark: Streamlit's colours where it gives them, else the reader's own choice.

const LOOK_EVERY_MS = 1_000;
const SERIES = ["--c0", "--c1", "--c2", "--c3", "--c4", "--c5"];

/** Keeps data-theme on `root` as the page around is; calls `changed` when it turns. Returns what ends it. */
export function follow(root, changed) {
  let known = null;
  const look = () => {
    const theme = themeOf(root);
    if (theme === known) return;
    known = theme;
    root.dataset.theme = theme;
    changed();
  };
  look();
  const timer = setInterval(look, LOOK_EVERY_MS);
  return () => clearInterval(timer);
}

function themeOf(root) {
  const given = getComputedStyle(root).getPropertyValue("--st-background-color").trim();
  if (given) return luminance(given, root) < 0.4 ? "dark" : "light";
  return window.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Rec. 709 luma of a CSS colour, 0..1. */
function luminance(colour, root) {
  const probe = document.createElement("span");
  probe.style.color = colour;
  root.append(probe);
  const parts = getComputedStyle(probe).color.match(/[\d.]+/g) ?? [255, 255, 255];
  probe.remove();
  const [r, g, b] = parts.map(Number);
  return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}

/** The colours that a canvas needs. */
export function colours(root) {
  const style = getComputedStyle(root);
  return {
    line: style.getPropertyValue("--line").trim(),
    series: SERIES.map((name) => style.getPropertyValue(name).trim()),
  };
}
