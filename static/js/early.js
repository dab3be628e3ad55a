// Runs before the first paint, so that a chosen theme never flashes. Kept tiny; everything else is a module.
(() => {
  let chosen = "system";
  try {
    chosen = localStorage.getItem("sofiia.theme") || "system";
  } catch {
    // Storage may be forbidden; the system's scheme is then the theme.
  }
  const root = document.documentElement;
  root.dataset.themeIs = chosen;
  if (chosen !== "system") root.dataset.theme = chosen;
  root.classList.add("js");
})();
