// Buttons with data-copy (text) or data-copy-from (id of the element whose text it is).

import { toast } from "./dom.js";

/** Put text on the clipboard and say so. */
export async function copyText(text, what = "Copied") {
  try {
    await navigator.clipboard.writeText(text);
    toast(what);
  } catch {
    toast("The browser does not let this page write to the clipboard");
  }
}

/** Answer every copy button of the page, present or to come. */
export function startCopying() {
  document.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("[data-copy], [data-copy-from]") : null;
    if (!button) return;
    const source = button.dataset.copyFrom ? document.getElementById(button.dataset.copyFrom) : null;
    copyText(source ? source.textContent : button.dataset.copy, button.dataset.copied);
  });
}
