// The log as it grows. First the newest from the API, then the stream from there on: no gap, no event twice.

import { copyText } from "./lib/copy.js";
import { el, glyph, toast } from "./lib/dom.js";
import { onKey } from "./lib/keys.js";
import { loadIndex } from "./lib/pulse.js";
import { nodeOf, nodesOf, sentence, stateOf } from "./lib/sentences.js";
import { stream } from "./lib/stream.js";
import { duration } from "./lib/time.js";

const MOST_ROWS = 500;
const MOST_WAITING = 5000;
const PAGE = 100;
const TYPING_MS = 200;
const list = document.getElementById("events-list");
const form = document.getElementById("events-filters");
const pauseButton = document.getElementById("events-pause");
const banner = document.getElementById("events-banner");
const older = document.getElementById("events-older");
const empty = document.getElementById("events-empty");
const searched = document.getElementById("events-searched");
let filter = readFilter();
let isPaused = false;
let waiting = [];
let dropped = 0;
let pinned = false; // an old page is shown; live events wait
let before = null; // where older events go on; null at the beginning of the log
let searchedFrom = 0; // the newest id that the search in hand has seen
let loading = 0; // while a page is fetched, what arrives waits for it

function readFilter() {
  const data = new FormData(form);
  return { type: data.get("type"), node: data.get("node").trim(), text: data.get("q").trim().toLowerCase() };
}

function concerns(frame, node) {
  const changed = Array.isArray(frame.data?.changed) ? frame.data.changed : [];
  return frame.node_id === node || changed.some((one) => one?.node_id === node);
}

/** What the log itself would find: the same filter as the API's, for what arrives live. */
function passes(frame) {
  if (filter.type && frame.type !== filter.type) return false;
  if (filter.node && !concerns(frame, filter.node)) return false;
  return !filter.text || JSON.stringify(frame.data).toLowerCase().includes(filter.text);
}

function isFiltered() {
  return Boolean(filter.type || filter.node || filter.text);
}

function clock(ts) {
  const at = new Date(ts);
  if (Number.isNaN(at.getTime())) return "";
  const time = at.toLocaleTimeString("en-GB");
  const isToday = at.toDateString() === new Date().toDateString();
  return isToday ? time : `${at.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${time.slice(0, 5)}`;
}

function utc(ts) {
  const at = new Date(ts);
  return Number.isNaN(at.getTime()) ? "" : `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** `UTC+2`, `UTC-3:30`, `UTC`: the zone in which this page tells the time. */
function zone() {
  const minutes = -new Date().getTimezoneOffset();
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return minutes ? `UTC${minutes < 0 ? "−" : "+"}${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""}` : "UTC";
}

/** The same as `_event.html`, with a button instead of a plain line. */
function row(frame) {
  const state = stateOf(frame);
  const item = el("li", { class: `event s-${state}`, id: frame.id === null ? null : `event-${frame.id}` });
  const button = el("button", { type: "button", class: "line", "aria-expanded": "false", onclick: () => toggle(item, button, frame) },
    glyph(state),
    el("time", { datetime: frame.ts ?? "", title: utc(frame.ts) }, clock(frame.ts)),
    el("span", { class: "id" }, frame.id === null ? "" : String(frame.id)),
    el("span", { class: "type" }, frame.type),
    el("span", { class: "what" }, sentence(frame)),
    el("span", { class: "node" }, nodesOf(frame)));
  item.append(button);
  return item;
}

function toggle(item, button, frame) {
  const isOpen = item.classList.toggle("is-open");
  button.setAttribute("aria-expanded", String(isOpen));
  item.querySelector(".detail")?.remove();
  if (!isOpen) return;
  const json = JSON.stringify(frame, null, 2);
  const node = nodeOf(frame);
  const detail = el("div", { class: "detail" },
    el("div", { class: "row" },
      el("button", { type: "button", class: "small", onclick: () => copyText(json, `Event ${frame.id ?? ""} copied`) }, "Copy JSON"),
      node ? el("a", { class: "button small", href: `/ui/nodes/${encodeURIComponent(node)}` }, `Open ${node}`) : null,
      el("time", { class: "quiet", datetime: frame.ts ?? "" }, utc(frame.ts))),
    el("pre", { tabindex: "0" }, json));
  item.append(detail);
}

function trim() {
  while (list.childElementCount > MOST_ROWS) list.lastElementChild.remove();
  if (list.childElementCount >= MOST_ROWS) { older.hidden = true; searched.textContent = ""; }
}

function showNew(frame) {
  if (!passes(frame) || document.getElementById(`event-${frame.id}`)) return;
  const item = row(frame);
  item.classList.add("is-new");
  keepingPlace(() => list.prepend(item));
  empty.hidden = true;
}

/** Somebody who reads further down is not pushed away by what arrives above. */
function keepingPlace(change) {
  const isReading = window.scrollY > 120;
  const height = document.documentElement.scrollHeight;
  change();
  trim();
  if (isReading) window.scrollBy(0, document.documentElement.scrollHeight - height);
}

function mark(text) {
  keepingPlace(() => list.prepend(el("li", { class: "marker", role: "note" }, text)));
}

function take(frame) {
  if (isPaused || pinned || loading) {
    waiting.push(frame);
    if (waiting.length > MOST_WAITING) { waiting.shift(); dropped += 1; }
    drawPause();
  } else {
    showNew(frame);
  }
}

function drawPause() {
  pauseButton.setAttribute("aria-pressed", String(isPaused));
  const count = waiting.filter(passes).length + dropped;
  pauseButton.textContent = isPaused ? `Go on (${count} waiting)` : "Pause";
}

function setPaused(value) {
  isPaused = value;
  if (!isPaused && !pinned) flush();
  drawPause();
}

function flush() {
  if (dropped) mark(`${dropped} events passed while paused; search by id for them`);
  for (const frame of waiting.slice(-MOST_ROWS)) showNew(frame);
  waiting = [];
  dropped = 0;
}

async function ask(parameters) {
  const query = new URLSearchParams({ limit: String(PAGE), ...parameters });
  if (filter.type) query.set("type", filter.type);
  if (filter.node) query.set("node", filter.node);
  if (filter.text) query.set("q", filter.text);
  const answer = await fetch(`/api/events?${query}`, { cache: "no-store" });
  if (!answer.ok) throw new Error(`the log answered ${answer.status}`);
  return answer.json();
}

/** The newest events that pass the filter, from `newest` on down; returns the highest id seen, or null. */
async function loadNewest(newest, isWanted = () => true) {
  const { items, next } = await ask({});
  if (!isWanted()) return null;
  pinned = false;
  banner.hidden = true;
  searchedFrom = Math.max(newest ?? 0, items[0]?.id ?? 0);
  list.replaceChildren(...items.map(row));
  goOnFrom(next);
  return items.length ? items[0].id : null;
}

async function loadOlder() {
  older.disabled = true;
  try {
    const { items, next } = await ask({ before: String(before) });
    list.append(...items.map(row));
    goOnFrom(next);
  } finally {
    older.disabled = false;
  }
}

/** Say how far the log has been looked through, and offer to go on. */
function goOnFrom(next) {
  before = next;
  const isFull = list.childElementCount >= MOST_ROWS;
  const [isEmpty, isSearch] = [list.childElementCount === 0, filter.text !== ""];
  older.textContent = isSearch ? "Search older" : "Older events";
  older.hidden = next === null || isFull || isEmpty;
  const reach = next === null ? "the whole log" : `events ${next}–${searchedFrom}`;
  searched.textContent = isFull ? `Only ${MOST_ROWS} are shown; narrow the search.` : isSearch && !isEmpty ? `Searched ${reach}.` : "";
  empty.hidden = !isEmpty;
  if (!isEmpty) return;
  if (isFiltered()) empty.replaceChildren(...nothingFound(reach, next !== null));
  else empty.replaceChildren(...NOTHING_YET());
}

function nothingFound(reach, goesOn) {
  const search = el("button", { type: "button", onclick: () => loadOlder().catch(sayUnreadable) }, "Search older");
  return [
    el("h2", {}, `No event matches in ${reach}`),
    el("p", {}, goesOn ? "A search looks through a part of the log at a time." : "A new event that matches appears here at once."),
    el("div", { class: "row" }, goesOn ? search : null, el("button", { type: "button", onclick: clearFilters }, "Clear filters")),
  ];
}

const NOTHING_YET = () => [
  el("h2", {}, "Nothing has happened yet"),
  el("p", {}, "Events appear here the moment they are written: a node that changes, a run, a message. The next poll cycle writes one."),
];

function sayUnreadable() {
  toast("The log cannot be read now");
}

function clearFilters() {
  for (const field of form.querySelectorAll("select, input")) field.value = "";
  applyFilter();
  form.querySelector("[data-search]").focus();
}

function select(item) {
  for (const other of list.querySelectorAll(".is-target")) other.classList.remove("is-target");
  item.classList.add("is-target");
  item.scrollIntoView({ block: "center" });
  item.querySelector("button").focus({ preventScroll: true });
}

async function jump(id) {
  const known = document.getElementById(`event-${id}`);
  if (known) { select(known); return; }
  const answer = await fetch(`/api/events?${new URLSearchParams({ after: String(Math.max(0, id - 1)), limit: String(PAGE) })}`);
  const items = answer.ok ? (await answer.json()).items : [];
  if (!items.length) { toast(`There is no event ${id} or later`); return; }
  pinned = true;
  list.replaceChildren(...items.reverse().map(row));
  older.hidden = true;
  searched.textContent = "";
  empty.hidden = true;
  banner.hidden = false;
  banner.replaceChildren(el("span", {}, `Events from ${items.at(-1).id} to ${items[0].id}. New ones are waiting.`),
    el("button", { type: "button", class: "small", onclick: backToLive }, "Back to live"));
  select(list.lastElementChild);
  if (items.at(-1).id !== id) toast(`Event ${id} is gone or never was; the next one is ${items.at(-1).id}`);
}

async function backToLive() {
  loading += 1;
  const mine = loading;
  let newest = null;
  try {
    newest = await loadNewest(stream.lastId, () => mine === loading);
  } catch {
    sayUnreadable();
  }
  if (mine !== loading) return;
  loading = 0;
  if (newest !== null) waiting = waiting.filter((frame) => frame.id > newest);
  if (!isPaused && !pinned) flush();
  drawPause();
}

function applyFilter() {
  filter = readFilter();
  const parameters = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ""));
  history.replaceState(null, "", parameters.size ? `/ui/events?${parameters}` : "/ui/events");
  backToLive();
}

function step(direction) {
  const rows = [...list.querySelectorAll(".event > .line")];
  const at = rows.indexOf(document.activeElement);
  rows[Math.min(rows.length - 1, Math.max(0, at + direction))]?.focus();
}

let typing = 0;
form.addEventListener("input", (event) => {
  clearTimeout(typing);
  typing = setTimeout(applyFilter, event.target.tagName === "SELECT" ? 0 : TYPING_MS);
});
form.addEventListener("submit", (event) => { event.preventDefault(); applyFilter(); });
document.getElementById("events-jump").addEventListener("submit", (event) => {
  event.preventDefault();
  const said = new FormData(event.target).get("id").trim();
  const id = /^#?\d{1,15}$/.test(said) ? Number(said.replace("#", "")) : 0;
  if (id > 0) jump(id).catch(sayUnreadable);
  else toast(said ? `“${said}” is no id of an event; ids are numbers` : "Give the number of an event");
});
pauseButton.addEventListener("click", () => setPaused(!isPaused));
older.addEventListener("click", () => loadOlder().catch(sayUnreadable));
onKey(" ", () => { if (!(document.activeElement instanceof HTMLButtonElement)) setPaused(!isPaused); else document.activeElement.click(); });
onKey("j", () => step(1));
onKey("k", () => step(-1));

stream.addEventListener("frame", ({ detail }) => {
  if (detail.id !== null && detail.id !== undefined) { take(detail); return; }
  if (detail.type === "error" && detail.data?.code === "gap") mark(`Gap: events before ${detail.data.oldest_id} are not kept any more`);
});
stream.addEventListener("resumed", ({ detail }) => {
  mark(`reconnected after ${duration(detail.awayS)}, ${detail.replayed} event${detail.replayed === 1 ? "" : "s"} replayed`);
});
document.getElementById("events-zone").textContent = `Time (${zone()})`;
loadIndex(document.body.dataset.indexUrl).then((index) => {
  document.getElementById("events-nodes").replaceChildren(...(index?.nodes ?? []).map(([id]) => el("option", { value: id })));
});

/** The highest id of the whole log, whatever the filter hides, is where the stream starts. */
async function begin() {
  const answer = await fetch("/api/events?limit=1", { cache: "no-store" });
  const newest = answer.ok ? ((await answer.json()).items[0]?.id ?? 0) : null;
  const shown = await loadNewest(newest);
  stream.start(shown === null ? newest : Math.max(newest ?? 0, shown));
}
begin().catch(() => {
  mark("The log could not be read; showing what happens from now on");
  stream.start();
});
