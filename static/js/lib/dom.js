// Building nodes from data: text is always text, never markup.

/** An element with attributes and children. Strings become text nodes; null and false children are left out. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false));
  return element;
}

/** A fragment of our own server's HTML as a document of its own: nothing in it runs or loads. */
export function parseHtml(text) {
  return new DOMParser().parseFromString(text, "text/html");
}

/** The glyph of a state: the same CSS shape that the server's macro draws. */
export function glyph(state) {
  return el("i", { class: `g g-${STATES.has(state) ? state : "info"}`, "aria-hidden": "true" });
}

export const STATES = new Set(["online", "degraded", "offline", "unknown", "maintenance", "paused"]);

/** Whether keys typed now belong to a field. */
export function isTyping(target) {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable]") !== null;
}

let toastTimer = 0;
/** Say something for four seconds. */
export function toast(text) {
  const box = document.getElementById("toast");
  if (!box) return;
  box.textContent = text;
  box.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { box.hidden = true; }, 4000);
}
