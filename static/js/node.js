// The page of one node stays true: after a poll cycle it is fetched again and its live parts are replaced.

import { parseHtml, toast } from "./lib/dom.js";
import { onKey } from "./lib/keys.js";
import { followNodes } from "./lib/refresh.js";
import { tick } from "./lib/time.js";

const PAUSE_MS = 2000;

/** Keep what the reader has opened or is reading. */
function isInUse(part) {
  return part.matches(":hover") && part.querySelector("details[open], svg.lines:hover") !== null;
}

function replaceParts(fresh, always = false) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(old.id);
    if (!next || (!always && isInUse(old))) continue;
    const open = [...old.querySelectorAll("details")].map((details) => details.open);
    [...next.querySelectorAll("details")].forEach((details, index) => { details.open = open[index] ?? false; });
    tick(next);
    if (next.isEqualNode(old) || (!always && old.contains(document.activeElement))) continue;
    old.replaceWith(document.adoptNode(next));
  }
}

followNodes(async () => {
  const url = new URL(location.href);
  url.searchParams.delete("done");
  const answer = await fetch(url, { cache: "no-store", redirect: "error" });
  if (answer.ok) replaceParts(parseHtml(await answer.text()));
}, PAUSE_MS);

/** Do what the form's button says without leaving the place; the answer is the page that a plain form would lead to. */
async function send(form, button) {
  const body = new FormData(form, button);
  const label = button.textContent;
  button.textContent = form.dataset.busy;
  button.setAttribute("aria-disabled", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    if (!answer.ok) { refuse(answer); return; }
    show(parseHtml(await answer.text()));
  } catch {
    toast("The console is unreachable: nothing was done.");
  } finally {
    button.textContent = label;
    button.removeAttribute("aria-disabled");
  }
}

function refuse(answer) {
  if (answer.status === 401) location.reload();
  else toast(answer.status === 403 ? "You may not do this, or the page is old: load it again." : `Not done: the console answered ${answer.status}.`);
}

function show(page) {
  for (const menu of document.querySelectorAll("details.drop[open]")) menu.open = false;
  const isFocused = document.getElementById("live-actions")?.contains(document.activeElement);
  const place = [...document.querySelectorAll("#live-actions :is(button, summary)")].indexOf(document.activeElement);
  replaceParts(page, true);
  if (isFocused) document.querySelectorAll("#live-actions :is(button, summary)")[Math.max(0, place)]?.focus({ preventScroll: true });
  const said = page.getElementById("said");
  if (said) {
    const here = document.getElementById("said");
    here.className = said.className;
    here.replaceChildren(...said.childNodes);
  }
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.dataset.busy || !event.submitter) return;
  event.preventDefault();
  if (event.submitter.getAttribute("aria-disabled") !== "true") send(form, event.submitter);
});
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.drop[open]")) if (!menu.contains(event.target)) menu.open = false;
});
onKey("p", () => document.querySelector("[data-probe]")?.click());
if (new URL(location.href).searchParams.has("done")) {
  const url = new URL(location.href);
  url.searchParams.delete("done");
  history.replaceState(null, "", url);
}
