"""A real Chromium that remembers everything that went wrong in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import ConsoleMessage, Page, sync_playwright

from tests.harness.services import chromium

_ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
              "--disable-component-update", "--disable-sync"]  # fmt: skip
_REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} in ${event.sourceFile}`);
});
"""
_MARK = "window.markOfThisLoad = 1"


@dataclass
class Watched:
    """A page, and what went wrong in it: console errors, exceptions, violations of the policy, strange requests."""

    page: Page
    origin: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        self.page.on("request", lambda request: self._on_request(request.url))
        self.page.add_init_script(_REPORT_VIOLATIONS)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} {message.location.get('url')}")

    def _on_request(self, url: str) -> None:
        if not url.startswith((self.origin, "data:", "blob:")):
            self.complaints.append(f"request to a stranger: {url}")

    def open(self, path: str) -> Page:
        """Load a page of the console and mark it, so that `was_reloaded` can tell."""
        self.page.goto(self.origin + path)
        self.page.evaluate(_MARK)
        return self.page

    @property
    def was_reloaded(self) -> bool:
        """Whether this is another document than `open` gave."""
        return not self.page.evaluate("window.markOfThisLoad === 1")


@contextmanager
def watched_page(origin: str) -> Iterator[Watched]:
    """A page in a browser of its own; the browser ends with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium()), args=_ARGUMENTS, headless=True
        )
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.set_default_timeout(10_000)
            yield Watched(page, origin)
        finally:
            browser.close()
