// System, light, dark: kept in this browser, applied before the first paint by early.js.

const ORDER = ["system", "light", "dark"];
const KEY = "sofiia.theme";

/** The chosen theme. */
export function theme() {
  return document.documentElement.dataset.themeIs ?? "system";
}

/** Choose one, here and in this browser's other tabs. */
export function setTheme(name) {
  const chosen = ORDER.includes(name) ? name : "system";
  apply(chosen);
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // Without storage the choice holds for this page.
  }
}

/** The next one in turn; returns it. */
export function nextTheme() {
  setTheme(ORDER[(ORDER.indexOf(theme()) + 1) % ORDER.length]);
  return theme();
}

function apply(chosen) {
  const root = document.documentElement;
  root.dataset.themeIs = chosen;
  if (chosen === "system") delete root.dataset.theme;
  else root.dataset.theme = chosen;
  document.dispatchEvent(new CustomEvent("theme", { detail: chosen }));
}

addEventListener("storage", (event) => { if (event.key === KEY) apply(event.newValue ?? "system"); });
