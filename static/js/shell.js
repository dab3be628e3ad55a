// What every page does: stream, pulse, palette, keys, theme, ticking ages.

import { startCopying } from "./lib/copy.js";
import { toast } from "./lib/dom.js";
import { onKey, startKeys } from "./lib/keys.js";
import { startPalette } from "./lib/palette.js";
import { startPulse } from "./lib/pulse.js";
import { stream } from "./lib/stream.js";
import { nextTheme } from "./lib/theme.js";
import { freeze, startTicking, syncClock } from "./lib/time.js";

const { indexUrl, since, now, stream: when } = document.body.dataset;

function switchTheme() {
  const names = { system: "Theme of your system", light: "Light theme", dark: "Dark theme" };
  toast(names[nextTheme()]);
}

function showKeys() {
  const dialog = document.getElementById("keys");
  if (!dialog.open) dialog.showModal();
}

const openPalette = startPalette(indexUrl, [
  { name: "Switch theme", where: "action", run: switchTheme },
  { name: "Keyboard shortcuts", where: "action", run: showKeys },
]);
const openers = { palette: openPalette, keys: showKeys };

document.addEventListener("click", (event) => {
  if (!(event.target instanceof Element)) return;
  const opener = event.target.closest("[data-open]");
  if (opener) openers[opener.dataset.open]?.();
  if (event.target.closest("[data-action=theme]")) switchTheme();
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target) || opener) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (menu) { menu.open = false; menu.querySelector("summary").focus(); }
});

if (now) syncClock(now);
startTicking();
startCopying();
startKeys(openPalette);
onKey("?", showKeys);
onKey("t", switchTheme);
startPulse(indexUrl);
stream.addEventListener("state", () => freeze(["broken", "ended"].includes(stream.state) ? stream.lostAt : 0));
if (when === "now") stream.start(since ? Number(since) : null);
