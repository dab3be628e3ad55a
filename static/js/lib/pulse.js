// The thin line under the tabs: how this page is connected and how the fleet is.

import { el, glyph } from "./dom.js";
import { stream } from "./stream.js";
import { duration } from "./time.js";

const ORDER = ["online", "degraded", "offline", "unknown", "maintenance", "paused"];
const AGAIN_MS = 2_000; // between two looks at the fleet, however many cycles end
const line = document.getElementById("pulse");
const part = (name) => line.querySelector(`[data-${name}]`);
const title = document.title;
const icon = document.querySelector("link[rel=icon]");
const iconHref = icon?.getAttribute("href") ?? "";
let counts = null;

/** Count the fleet as the wall does, and say in the tab's title and icon when something is wrong. */
function showFleet(nodes) {
  counts = new Map(ORDER.map((state) => [state, 0]));
  for (const [, , state] of nodes) counts.set(state, (counts.get(state) ?? 0) + 1);
  const total = nodes.length;
  const words = [el("span", {}, el("b", {}, String(total)), el("span", { class: "w" }, total === 1 ? " node:" : total ? " nodes:" : " nodes"))];
  for (const [state, count] of counts) {
    if (!count) continue;
    words.push(el("span", { title: state }, `${count} `, glyph(state), el("span", { class: "visually-hidden" }, ` ${state}`)));
  }
  part("counts").replaceChildren(...words);
  dressTab();
}

function dressTab() {
  const isLost = stream.state === "broken" || stream.state === "ended";
  const [offline, degraded] = ["offline", "degraded"].map((state) => counts?.get(state) ?? 0);
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
      return `${what} ${since} ago, showing what was known at ${new Date(stream.lostAt).toLocaleTimeString("en-GB")}; ${retry}`;
    }
    default:
      return "connecting";
  }
}

function draw() {
  line.dataset.state = stream.state;
  const isUp = stream.isServerUp;
  part("mark").textContent = isUp ? "✓" : "✗";
  const text = sentence();
  if (part("say").textContent !== text) part("say").textContent = text;
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

/** Follow the stream; the fleet is counted at the first load and after whatever may have changed it. */
export function startPulse(indexUrl) {
  stream.addEventListener("state", () => {
    line.setAttribute("aria-live", stream.state === "live" ? "off" : "polite");
    document.documentElement.dataset.stream = stream.state;
    if (stream.state === "live" && wasLost) countAgain(indexUrl);
    wasLost = stream.state === "broken";
    draw();
  });
  stream.addEventListener("frame", ({ detail }) => {
    if (detail.type === "node.changed" || (detail.type === "nodes.status" && isNews(detail.data))) countAgain(indexUrl);
  });
  document.addEventListener("visibilitychange", () => { if (isOld) countAgain(indexUrl); });
  setInterval(() => { if (!document.hidden) draw(); }, 1000);
  document.documentElement.dataset.stream = stream.state;
  draw();
  count(indexUrl);
}

let said = "";
/** Whether a cycle tells of another fleet than the one before: a quiet one asks the server nothing. */
function isNews(data) {
  const before = said;
  said = JSON.stringify(data?.summary);
  return said !== before || data?.changed?.length > 0;
}

let wasLost = false;
let isOld = false;
let isCounting = false;
/** Soon, once for all who ask meanwhile, and only while somebody looks. */
function countAgain(indexUrl) {
  isOld = true;
  if (isCounting || document.hidden) return;
  isCounting = true;
  setTimeout(async () => {
    isOld = false;
    loading = null;
    await count(indexUrl);
    isCounting = false;
    if (isOld) countAgain(indexUrl);
  }, counts ? AGAIN_MS : 0);
}

async function count(indexUrl) {
  const index = await loadIndex(indexUrl);
  if (Array.isArray(index?.nodes)) showFleet(index.nodes);
  else loading = null;
}

let loading = null;
/** Names and states of every node, as they were counted last. */
export function loadIndex(url) {
  loading ??= fetch(url, { headers: { Accept: "application/json" }, cache: "no-store" })
    .then((answer) => (answer.ok ? answer.json() : null))
    .catch(() => null);
  return loading;
}
