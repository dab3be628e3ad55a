// Ages that tick. The server writes the first text; from then on it follows the clock.

const STEPS = [[86_400, "d", 2], [3_600, "h", 1], [60, "min", 1]];
let skewMs = 0;
let frozenAt = 0;

/** The server's clock, as far as it is known; while frozen, the moment of that. */
export function now() {
  return (frozenAt || Date.now()) + skewMs;
}

/** Let no age grow beyond a moment of this browser's clock: nothing newer is known. 0 lets them grow again. */
export function freeze(moment) {
  if (moment === frozenAt) return;
  frozenAt = moment;
  tick();
}

/** Take the server's clock over when it is further from ours than a page takes to load. */
export function syncClock(serverTime) {
  const difference = Date.parse(serverTime) - Date.now();
  if (Number.isFinite(difference)) skewMs = Math.abs(difference) > 5000 ? difference : 0;
}

/** `0.4 s`, `12 s`, `4 min`, `3 h`, `5 d`: the same words as core.formatting.duration. */
export function duration(seconds) {
  const value = Math.max(0, seconds);
  for (const [size, unit, from] of STEPS) {
    if (value >= size * from) return `${Math.floor(value / size)} ${unit}`;
  }
  return value < 1 ? `${value.toFixed(1)} s` : `${Math.floor(value)} s`;
}

const FORMS = {
  "": (age) => age,
  for: (age) => `for ${age}`,
  ago: (age) => `${age} ago`,
  seen: (age) => `seen ${age} ago`,
};

/** Bring every `time[data-age]` below `root` up to date. */
export function tick(root = document) {
  for (const element of root.querySelectorAll("time[data-age]")) {
    const at = Date.parse(element.dateTime);
    if (Number.isNaN(at)) continue;
    const age = (now() - at) / 1000;
    const text = (FORMS[element.dataset.age] ?? FORMS[""])(duration(Math.max(1, age)));
    if (element.textContent !== text) element.textContent = text;
  }
  for (const element of root.querySelectorAll("[data-stale-after]")) {
    const age = (now() - Date.parse(element.dataset.probed)) / 1000;
    element.classList.toggle("is-stale", age > Number(element.dataset.staleAfter));
  }
}

/** Tick every second while somebody looks. */
export function startTicking() {
  const run = () => { if (!document.hidden) tick(); };
  setInterval(run, 1000);
  document.addEventListener("visibilitychange", run);
  run();
}
