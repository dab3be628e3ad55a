// Keys that work everywhere, and those that a page adds.

import { isTyping } from "./dom.js";

const GO_MS = 1200;
const bindings = new Map();
let goUntil = 0;

/** Bind a single key outside of fields. */
export function onKey(key, run) {
  bindings.set(key, run);
}

function go(key) {
  const tab = [...document.querySelectorAll(".tabs a[data-key]")].find((link) => link.dataset.key === key);
  tab?.click();
  return tab !== undefined;
}

/** Start listening; `openPalette` answers Ctrl+K. */
export function startKeys(openPalette) {
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (Date.now() < goUntil && go(event.key)) { goUntil = 0; event.preventDefault(); return; }
    if (event.key === "g") { goUntil = Date.now() + GO_MS; return; }
    const run = bindings.get(event.key);
    if (!run) return;
    event.preventDefault();
    run();
  });
  onKey("/", () => {
    const field = document.querySelector("[data-search]");
    if (field) { field.focus(); field.select(); } else openPalette();
  });
}
