// Elements without markup: text is always a text node, so no label can become code.

const PROPERTIES = new Set(["textContent", "value", "checked", "disabled", "hidden", "tabIndex", "autofocus"]);

/**
 * One element. `props`: on… are listeners, `class`, `data` and `style` (objects) as named; the rest are attributes.
 */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "style") setStyle(node, value);
    else if (PROPERTIES.has(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function setStyle(node, style) {
  for (const [name, value] of Object.entries(style)) node.style.setProperty(name, value);
}

/** The key's cap, as a hint beside what it does. */
export function keycap(key) {
  return el("kbd", { "aria-hidden": "true" }, key);
}
