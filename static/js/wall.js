// The wall stays true: after every poll cycle the tiles that were written since are fetched and replaced by id.

import { parseHtml, toast } from "./lib/dom.js";
import { onKey } from "./lib/keys.js";
import { followNodes } from "./lib/refresh.js";
import { stream } from "./lib/stream.js";
import { tick } from "./lib/time.js";

const PAUSE_MS = 1500; // between two fetches, however many cycles end
const TYPING_MS = 180;
const fleet = () => document.getElementById("fleet");
let query = location.search;
let asked = 0;
let isOwed = false; // a filter was chosen that could not be asked for

function fragmentUrl(since) {
  const parameters = new URLSearchParams(query);
  if (since) parameters.set("since", since);
  return `${fleet().dataset.tilesUrl}?${parameters}`;
}

async function fetchFleet(since) {
  const answer = await fetch(fragmentUrl(since), { cache: "no-store", redirect: "error" });
  if (!answer.ok) throw new Error(`the wall answered ${answer.status}`);
  return parseHtml(await answer.text()).getElementById("fleet");
}

/** Replace what changed; everything else stays where it is. */
const refresh = followNodes(async () => merge(await fetchFleet(fleet().dataset.asOf)), PAUSE_MS);

function merge(fresh) {
  const here = fleet();
  const holder = here.querySelector("[data-tiles]");
  const isOther = !holder || !fresh.querySelector("[data-tiles]");
  if (isOther || hasUnknown(fresh)) { replaceAll(); return; }
  for (const tile of [...fresh.querySelector("[data-tiles]").children]) replaceTile(tile);
  arrange(holder, fresh.dataset.order.split(" "));
  swap("fleet-counts", fresh);
  swap("fleet-fold", fresh);
  here.dataset.asOf = fresh.dataset.asOf;
  here.dataset.order = fresh.dataset.order;
  tick(here);
}

/** Whether a node is to be shown whose tile we do not have and did not get. */
function hasUnknown(fresh) {
  return fresh.dataset.order.split(" ").some((id) => id
    && !document.getElementById(`tile-${id}`) && !fresh.querySelector(`#${CSS.escape(`tile-${id}`)}`));
}

function replaceTile(tile) {
  const old = document.getElementById(tile.id);
  if (!old) { fleet().querySelector("[data-tiles]").append(document.adoptNode(tile)); return; }
  const hadFocus = old.contains(document.activeElement);
  const isChange = old.dataset.state !== tile.dataset.state;
  old.replaceWith(tile);
  if (isChange) tile.classList.add("changed");
  if (hadFocus) tile.querySelector("a")?.focus({ preventScroll: true });
}

/** Worst first, but tiles move only when their order really changed. */
function arrange(holder, ids) {
  const shown = new Set(ids.map((id) => `tile-${id}`));
  for (const tile of [...holder.children]) if (!shown.has(tile.id)) tile.remove();
  const focused = document.activeElement;
  let place = holder.firstElementChild;
  for (const id of ids) {
    const tile = document.getElementById(`tile-${id}`);
    if (tile === place) { place = place.nextElementSibling; continue; }
    if (tile) holder.insertBefore(tile, place);
  }
  if (focused instanceof HTMLElement && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

function swap(id, fresh) {
  const [old, next] = [document.getElementById(id), fresh.querySelector(`#${id}`)];
  if (old && next && !old.isEqualNode(next) && !old.contains(document.activeElement)) old.replaceWith(next);
}

/** The whole fleet anew, for another filter; false if it cannot be had. The search field keeps its focus and its caret. */
async function replaceAll() {
  asked += 1;
  const mine = asked;
  const fresh = await fetchFleet("").catch(() => null);
  if (!fresh || mine !== asked) return mine !== asked;
  isOwed = false;
  const field = document.activeElement?.closest?.("#fleet-filters") ? document.activeElement : null;
  const kept = field ? document.getElementById("fleet-filters") : null;
  if (kept) fresh.querySelector("#fleet-filters").replaceWith(kept);
  fleet().replaceWith(fresh);
  field?.focus({ preventScroll: true });
  tick(fresh);
  return true;
}

async function show(address) {
  const url = new URL(address, location.href);
  history.replaceState(null, "", url);
  query = url.search;
  if (await replaceAll()) return;
  isOwed = true;
  toast("Cannot filter while the console is unreachable; it is done when the connection is back.");
}

function formAddress(form) {
  const pairs = [...new FormData(form)].filter(([, value]) => value !== "");
  const parameters = new URLSearchParams(pairs).toString();
  return parameters ? `/ui/?${parameters}` : "/ui/";
}

let typing = 0;
document.addEventListener("input", (event) => {
  const form = event.target.closest?.("#fleet-filters");
  if (!form) return;
  clearTimeout(typing);
  typing = setTimeout(() => show(formAddress(form)), event.target.type === "search" ? TYPING_MS : 0);
});
document.addEventListener("submit", (event) => {
  if (event.target.id !== "fleet-filters") return;
  event.preventDefault();
  show(formAddress(event.target));
});
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("#fleet-counts a, .switch a, .fleet-table th a, #fleet-empty a, #fleet-fold a");
  if (!link?.getAttribute("href").startsWith("/ui/?") && link?.getAttribute("href") !== "/ui/") return;
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  if (link.closest("tbody")) return;
  event.preventDefault();
  link.blur();
  show(link.href);
});
onKey("w", () => document.querySelector(".switch a:not([aria-current])")?.click());

stream.addEventListener("state", () => {
  if (stream.state !== "live") return;
  if (isOwed) replaceAll();
  else refresh();
});
