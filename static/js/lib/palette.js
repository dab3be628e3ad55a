// Ctrl+K: pages, nodes and actions by a few letters.

import { el, glyph } from "./dom.js";
import { loadIndex } from "./pulse.js";

const MOST = 12;
const dialog = document.getElementById("palette");
const field = dialog.querySelector("input");
const list = dialog.querySelector("ul");
let items = [];
let shown = [];
let at = 0;

/** Letters in order, better when they stand together and begin a word; -1 when they do not fit. */
export function score(query, text) {
  const letters = query.toLowerCase().replace(/\s+/g, "");
  const target = text.toLowerCase();
  let total = 0;
  let from = 0;
  let previous = -2;
  for (const letter of letters) {
    const found = target.indexOf(letter, from);
    if (found < 0) return -1;
    const startsWord = found === 0 || /[^\p{L}\p{N}]/u.test(target[found - 1]);
    total += 1 + (found === previous + 1 ? 4 : 0) + (startsWord ? 3 : 0);
    previous = found;
    from = found + 1;
  }
  return total - target.length / 200;
}

/** Every page that the head links to, once. */
function pages() {
  const links = new Map();
  for (const link of document.querySelectorAll(".tabs a, .menu a")) if (!links.has(link.href)) links.set(link.href, link);
  return [...links].map(([href, link]) => ({
    name: link.textContent.trim(), where: "page", run: () => { location.href = href; },
  }));
}

async function gather(indexUrl, actions) {
  items = [...pages(), ...actions];
  const index = await loadIndex(indexUrl);
  const nodes = (index?.nodes ?? []).map(([id, label, state]) => ({
    name: label.includes(id) ? label : `${id}  ${label}`, where: state, state,
    run: () => { location.href = `/ui/nodes/${encodeURIComponent(id)}`; },
  }));
  items.push(...nodes);
  draw();
}

function draw() {
  const query = field.value.trim();
  const rated = items.map((item) => [query ? score(query, item.name) : 0, item]).filter(([points]) => points >= 0);
  if (query) rated.sort((a, b) => b[0] - a[0]);
  shown = rated.slice(0, MOST).map(([, item]) => item);
  at = Math.min(at, Math.max(0, shown.length - 1));
  const rows = shown.map((item, index) => el("li", {
    id: `palette-${index}`, role: "option", "aria-selected": String(index === at),
    onclick: () => choose(index), onpointermove: () => select(index),
  }, item.state ? glyph(item.state) : glyph("info"), el("span", { class: "name" }, item.name), el("span", { class: "where" }, item.where)));
  if (!rows.length) rows.push(el("li", { class: "quiet" }, "Nothing fits. Try fewer letters."));
  list.replaceChildren(...rows);
  mark();
}

function mark() {
  for (const [index, row] of [...list.children].entries()) row.setAttribute("aria-selected", String(index === at));
  field.setAttribute("aria-activedescendant", shown.length ? `palette-${at}` : "");
}

function select(index) {
  if (at === index) return;
  at = index;
  mark();
}

function choose(index) {
  const item = shown[index];
  dialog.close();
  item?.run();
}

function move(step) {
  if (!shown.length) return;
  at = (at + step + shown.length) % shown.length;
  mark();
  list.children[at].scrollIntoView({ block: "nearest" });
}

/** Wire the palette; returns the function that opens it. `actions` are {name, where, run}. */
export function startPalette(indexUrl, actions) {
  const keys = { ArrowDown: () => move(1), ArrowUp: () => move(-1), Enter: () => choose(at) };
  field.addEventListener("input", () => { at = 0; draw(); });
  field.addEventListener("keydown", (event) => {
    if (!(event.key in keys) || event.isComposing) return;
    event.preventDefault();
    keys[event.key]();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  return () => {
    if (dialog.open) { dialog.close(); return; }
    field.value = "";
    at = 0;
    dialog.showModal();
    gather(indexUrl, actions);
    draw();
  };
}
