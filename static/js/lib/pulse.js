// The thin line under the tabs: how this page is connected and how the fleet is.

import { el, glyph } from "./dom.js";
import { stream } from "./stream.js";
import { duration } from "./time.js";

const ORDER = ["online", "degraded", "offline", "unknown", "maintenance"];
const line = document.getElementById("pulse");
const part = (name) => line.querySelector(`[data-${name}]`);
const title = document.title;
const icon = document.querySelector("link[rel=icon]");
const iconHref = icon?.getAttribute("href") ?? "";
let summary = null;

/** Show the counts of the fleet, and say in the tab's title and icon when something is wrong. */
export function showSummary(counts) {
  summary = counts;
  const words = [el("span", {}, el("b", {}, String(counts.total ?? 0)), el("span", { class: "w" }, counts.total === 1 ? " node:" : " nodes:"))];
  for (const state of ORDER) {
    if (!counts[state]) continue;
    words.push(el("span", { title: state }, `${counts[state]} `, glyph(state), el("span", { class: "visually-hidden" }, ` ${state}`)));
  }
  part("counts").replaceChildren(...words);
  dressTab();
}

function dressTab() {
  const isLost = stream.state === "broken" || stream.state === "ended";
  const { offline = 0, degraded = 0 } = summary ?? {};
  const mark = isLost ? "✗ " : offline ? `■ ${offline} ` : degraded ? `▲ ${degraded} ` : "";
  const variant = isLost || offline ? "-bad" : degraded ? "-warn" : "";
  const href = iconHref.replace(/logo(?=\.)/, `logo${variant}`);
  if (document.title !== mark + title) document.title = mark + title;
  if (icon && icon.getAttribute("href") !== href) icon.setAttribute("href", href);
}

function sentence() {
  const since = stream.lostAt ? duration((Date.now() - stream.lostAt) / 1000) : "";
  switch (stream.state) {
    case "live":
      return `live ${duration(stream.silenceS)}${stream.transport === "WebSocket" ? "" : ", over SSE"}`;
    case "stale":
      return `Nothing came in for ${duration(stream.silenceS)}; showing what was known then, asking again`;
    case "ended":
      return "Your session has ended; showing what was known then.";
    case "broken": {
      const wait = stream.retryAt ? Math.max(0, Math.ceil((stream.retryAt - Date.now()) / 1000)) : 0;
      const retry = wait ? `retrying in ${wait} s` : "retrying";
      const what = stream.isServerUp ? "Stream lost" : "Connection lost";
      return `${what} ${since} ago, showing what was known then; ${retry}`;
    }
    default:
      return "stream connecting";
  }
}

function draw() {
  line.dataset.state = stream.state;
  const isUp = stream.isServerUp;
  part("mark").textContent = isUp ? "✓" : "✗";
  const text = sentence();
  if (part("say").textContent !== text) part("say").textContent = text;
  part("stream").hidden = stream.state !== "live";
  drawAction();
  dressTab();
}

function drawAction() {
  const act = part("act");
  if (act.dataset.for === stream.state) return;
  act.dataset.for = stream.state;
  const here = encodeURIComponent(location.pathname + location.search);
  const action = {
    broken: () => el("button", { type: "button", onclick: () => stream.retryNow() }, "Retry now"),
    ended: () => el("a", { class: "button small", href: `/ui/login?next=${here}` }, "Log in"),
  }[stream.state];
  act.replaceChildren(...(action ? [action()] : []));
}

/** Follow the stream; the fleet's counts come with the first load and with every poll cycle. */
export function startPulse(indexUrl) {
  stream.addEventListener("state", () => {
    line.setAttribute("aria-live", stream.state === "live" ? "off" : "polite");
    draw();
  });
  stream.addEventListener("frame", ({ detail }) => {
    if (detail.type === "nodes.status" && detail.data?.summary) showSummary(detail.data.summary);
  });
  setInterval(() => { if (!document.hidden) draw(); }, 1000);
  draw();
  loadIndex(indexUrl).then((index) => { if (!summary && index) showSummary(index.summary); });
}

let loading = null;
/** Names and states of every node, asked once a page. */
export function loadIndex(url) {
  loading ??= fetch(url, { headers: { Accept: "application/json" } })
    .then((answer) => (answer.ok ? answer.json() : null))
    .catch(() => null);
  return loading;
}
