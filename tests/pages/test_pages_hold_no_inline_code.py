"""The content security policy forbids inline code, so that a hostile string can never become one."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.pages.conftest import HOSTILE

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    "/ui/", "/ui/?view=table", "/ui/?q=nothing-like-it", "/ui/wall/tiles", "/ui/events", "/ui/settings", "/ui/nodes/up",
    "/ui/nodes/down?range=7d", "/ui/login", "/ui/nope", "/api/docs", "/admin/", "/admin/nodes/node/", "/admin/nodes/node/up/change/",
]  # fmt: skip


class Inline(HTMLParser):
    """Collects what the policy would block."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        is_data = given.get("type", "").endswith("json")
        if tag == "style" or (tag == "script" and "src" not in given and not is_data):
            self.found.append(f"<{tag}>")
        self.found += [name for name in given if name == "style" or name.startswith("on")]
        for name in ("href", "src", "action"):
            target = given.get(name, "")
            if target.startswith(("//", "http:", "https:", "javascript:", "data:")):
                self.found.append(f"{name}={target}")


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_inline_code_or_strangers(as_role, fleet, path):
    parser = Inline()
    parser.feed(as_role("admin").get(path).content.decode())

    assert parser.found == []


@pytest.mark.parametrize("path", PAGES)
def test_every_id_is_given_once(as_role, fleet, path):
    parser = Inline()
    parser.feed(as_role("admin").get(path).content.decode())

    assert sorted(parser.ids) == sorted(set(parser.ids))


def test_the_check_itself_sees_inline_code():
    parser = Inline()
    parser.feed(HOSTILE + "<p style='x'></p><script src='//evil/x.js'></script>")

    assert parser.found == ["onerror", "<script>", "style", "src=//evil/x.js"]


def test_no_template_switches_escaping_off():
    for path in (ROOT / "templates").rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"\|\s*safe\b|autoescape false|autoescape off|\bMarkup\b", text), path


def test_no_script_turns_data_into_markup_or_code():
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setHTMLUnsafe|srcdoc"
    )
    for path in (ROOT / "static" / "js").rglob("*.js"):
        assert not forbidden.search(path.read_text()), path
