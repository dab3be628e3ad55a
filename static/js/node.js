// The page of one node stays true: after a poll cycle it is fetched again and its live parts are replaced.

import { parseHtml } from "./lib/dom.js";
import { onKey } from "./lib/keys.js";
import { stream } from "./lib/stream.js";
import { tick } from "./lib/time.js";

const PAUSE_MS = 2000;
let busy = false;
let wanted = false;

/** Keep what the reader has opened or is reading. */
function isInUse(part) {
  return part.matches(":hover") && part.querySelector("details[open], svg.lines:hover") !== null;
}

function replaceParts(fresh) {
  for (const old of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(old.id);
    if (!next || isInUse(old)) continue;
    const open = [...old.querySelectorAll("details")].map((details) => details.open);
    [...next.querySelectorAll("details")].forEach((details, index) => { details.open = open[index] ?? false; });
    tick(next);
    if (next.isEqualNode(old) || old.contains(document.activeElement)) continue;
    old.replaceWith(document.adoptNode(next));
  }
}

async function refresh() {
  wanted = true;
  if (busy || document.hidden) return;
  busy = true;
  while (wanted) {
    wanted = false;
    try {
      const url = new URL(location.href);
      url.searchParams.delete("probed");
      const answer = await fetch(url, { cache: "no-store", redirect: "error" });
      if (answer.ok) replaceParts(parseHtml(await answer.text()));
    } catch {
      // The pulse line tells about the connection.
    }
    await new Promise((resolve) => { setTimeout(resolve, PAUSE_MS); });
  }
  busy = false;
}

stream.addEventListener("frame", ({ detail }) => {
  if (detail.type === "nodes.status" || detail.type === "node.changed") refresh();
});
document.addEventListener("visibilitychange", () => { if (wanted) refresh(); });
document.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button");
  if (!event.target.dataset.busy || !button) return;
  button.textContent = event.target.dataset.busy;
  button.setAttribute("aria-disabled", "true");
});
onKey("p", () => document.querySelector("[data-probe]")?.click());
if (new URL(location.href).searchParams.has("probed")) {
  const url = new URL(location.href);
  url.searchParams.delete("probed");
  history.replaceState(null, "", url);
}
