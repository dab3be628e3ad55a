// Settings: how this page is connected, the theme, and a question before a key is revoked.

import { stream } from "./lib/stream.js";
import { setTheme, theme } from "./lib/theme.js";
import { duration, now } from "./lib/time.js";

const box = document.getElementById("connection");
const part = (name) => box.querySelector(`[data-${name}]`);
const bff = part("bff");
let lastEventAt = 0; // when the newest event was written, by the server's clock

const SENTENCES = {
  connecting: () => "connecting",
  live: () => `live over ${stream.transport}, last frame ${duration(stream.silenceS)} ago`,
  stale: () => `silent for ${duration(stream.silenceS)}`,
  broken: () => `lost ${duration((Date.now() - stream.lostAt) / 1000)} ago, retrying`,
  ended: () => "your session has ended",
};

function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function draw() {
  const isUp = stream.isServerUp;
  bff.dataset.bff = isUp ? "up" : "down";
  write(bff, isUp ? "✓ answers" : "✗ does not answer");
  write(part("stream-state"), SENTENCES[stream.state]());
  write(part("last-event"), lastEventAt ? `${duration((now() - lastEventAt) / 1000)} ago` : "no event yet");
  write(part("last-id"), stream.lastId === null ? "–" : String(stream.lastId));
  document.getElementById("connection-help").hidden = isUp;
}

stream.addEventListener("state", draw);
stream.addEventListener("frame", ({ detail }) => {
  if (typeof detail.id === "number") lastEventAt = Date.parse(detail.ts) || now();
  draw();
});
fetch("/api/events?limit=1", { cache: "no-store" })
  .then((answer) => (answer.ok ? answer.json() : { items: [] }))
  .then(({ items }) => { lastEventAt ||= Date.parse(items[0]?.ts) || 0; draw(); })
  .catch(() => {}); // the stream's own line tells about the connection
setInterval(draw, 1000);
draw();

const themes = document.getElementById("themes");
const showTheme = () => {
  for (const radio of themes.querySelectorAll("input")) radio.checked = radio.value === theme();
};
themes.addEventListener("change", (event) => setTheme(event.target.value));
document.addEventListener("theme", showTheme);
showTheme();

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});
