// A page that follows the fleet asks again after what happened: never twice at once, and not while nobody looks.

import { stream } from "./stream.js";

const ABOUT_NODES = new Set(["nodes.status", "node.changed"]);

/**
 * Call `ask` after every event about nodes, with at least `pauseMs` between two calls; what happens meanwhile, or while
 * the page is hidden, makes one call. An `ask` that fails is not repeated: the pulse line tells about the connection.
 * Returns the function that asks for a call.
 */
export function followNodes(ask, pauseMs) {
  let busy = false;
  let wanted = false;
  async function refresh() {
    wanted = true;
    if (busy || document.hidden) return;
    busy = true;
    while (wanted) {
      wanted = false;
      try {
        await ask();
      } catch {
        // Told by the pulse line; the next event asks again.
      }
      await new Promise((resolve) => { setTimeout(resolve, pauseMs); });
    }
    busy = false;
  }
  stream.addEventListener("frame", ({ detail }) => { if (ABOUT_NODES.has(detail.type)) refresh(); });
  document.addEventListener("visibilitychange", () => { if (wanted) refresh(); });
  return refresh;
}
