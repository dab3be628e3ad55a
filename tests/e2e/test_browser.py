"""The console as an operator sees it: a real browser, a real console, nodes that really go away."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.factories import PASSWORD
from tests.harness.browser import watched_page
from tests.harness.fleet import running_fleet
from tests.harness.registry import config_of

pytestmark = pytest.mark.browser
SOON = 12_000


@pytest.fixture
def fleet():
    """Three honest nodes."""
    with running_fleet(3) as fleet:
        yield fleet


@pytest.fixture
def browser(fleet, launch, tmp_path):
    """A page of a console that watches the fleet and is quick to judge."""
    console = launch(
        CONFIG_DIR=str(config_of(fleet.fleet, tmp_path / "config")),
        NODES_POLL_INTERVAL_SEC="1",
        NODES_PROBE_TIMEOUT_SEC="1",
        NODES_OFFLINE_AFTER="2",
    )
    with watched_page(console.url) as watched:
        yield watched


def test_the_wall_follows_a_node_that_goes_and_comes_back_without_a_reload(browser, fleet):
    page = browser.open("/ui/")
    tile = page.locator("#tile-sim-002")
    expect(tile).to_have_attribute("data-state", "online", timeout=SOON)

    fleet.go_down("sim-002")
    expect(tile).to_have_attribute("data-state", "offline", timeout=SOON)
    expect(tile).to_contain_text(re.compile("connection refused", re.IGNORECASE))
    expect(page.locator("#tile-sim-001")).to_have_attribute("data-state", "online")
    expect(page.locator(".tile").first).to_have_attribute("id", "tile-sim-002")  # worst first

    fleet.come_back("sim-002")
    expect(tile).to_have_attribute("data-state", "online", timeout=SOON)

    assert not browser.was_reloaded
    assert browser.complaints == []


def test_the_events_page_shows_what_happens_as_it_happens(browser, fleet):
    page = browser.open("/ui/events")
    rows = page.locator("#events-list .event").filter(has_text="nodes.status")
    expect(rows.first).to_be_visible(timeout=SOON)
    newest = rows.first.get_attribute("id")

    fleet.go_down("sim-003")

    expect(rows.filter(has_text="sim-003").filter(has_text="offline").first).to_be_visible(
        timeout=SOON
    )
    expect(rows.first).not_to_have_id(str(newest))
    shown = rows.evaluate_all("rows => rows.map((row) => Number(row.id.replace('event-', '')))")
    assert shown == sorted(set(shown), reverse=True), "not newest first, or doubled"
    assert not browser.was_reloaded
    assert browser.complaints == []


def wait_for_scripts(page: Page) -> None:
    """Until the page listens: to the stream, and so to the keyboard."""
    expect(page.locator("#pulse")).to_have_attribute("data-state", "live", timeout=SOON)


def test_everything_can_be_reached_from_the_keyboard(browser):
    page = browser.open("/ui/")
    expect(page.locator("#tile-sim-001")).to_have_attribute("data-state", "online", timeout=SOON)
    wait_for_scripts(page)

    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()

    page.keyboard.press("?")
    expect(page.locator("dialog#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog#keys")).to_be_hidden()

    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.locator("[data-search]").blur()

    page.keyboard.press("Control+k")
    expect(page.locator("#palette")).to_be_visible()
    page.keyboard.type("sim-002")
    expect(page.locator("#palette-list [role=option]").first).to_contain_text("sim-002")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/ui/nodes/sim-002$"))
    expect(page.locator("h1")).to_contain_text("sim-002")
    wait_for_scripts(page)

    page.keyboard.press("g")
    page.keyboard.press("n")
    expect(page).to_have_url(re.compile(r"/ui/$"))
    assert browser.complaints == []


#: The focused element shows an outline, or what it stands in does (a tile for its link, a form for its field).
SHOWS_FOCUS = """() => {
  for (let part = document.activeElement; part && part !== document.body; part = part.parentElement) {
    const style = getComputedStyle(part);
    if (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) return true;
  }
  return false;
}"""


def test_what_has_the_focus_can_be_seen_and_stays_through_updates(browser):
    page = browser.open("/ui/")
    expect(page.locator("#tile-sim-001")).to_have_attribute("data-state", "online", timeout=SOON)
    walked = []
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        walked.append(page.evaluate("document.activeElement.textContent.trim().slice(0, 40)"))
        assert page.evaluate(SHOWS_FOCUS), f"the focus cannot be seen on {walked[-1]!r}"
        if walked[-1] == "sim-001":
            wait_for_another_cycle(page)
            assert page.evaluate("document.activeElement.textContent") == "sim-001"

    assert {"sim-001", "sim-002", "sim-003"} <= set(walked)
    assert browser.complaints == []


def wait_for_another_cycle(page: Page) -> None:
    """Until the wall has been brought up to date once more."""
    before = page.locator("#fleet").get_attribute("data-as-of")
    expect(page.locator("#fleet")).not_to_have_attribute("data-as-of", str(before), timeout=SOON)


def test_the_one_time_login_makes_the_first_admin(launch):
    console = launch()
    assert console.login_url
    with watched_page(console.url) as browser:
        page = browser.open(console.login_url.removeprefix(console.url))
        page.get_by_label("User name").fill("olena")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_label("Password, once more").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page).to_have_url(re.compile(r"/ui/$"))
        expect(page.get_by_label("Account of olena")).to_be_visible()

        page.context.clear_cookies()
        page.goto(f"{console.url}/ui/login")
        page.get_by_label("User name").fill("olena")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_label("Account of olena")).to_be_visible()
        assert browser.complaints == []
    assert console.get(console.login_url.removeprefix(console.url)).status_code in (404, 410)


def test_a_hostile_node_can_do_nothing_to_the_page(launch, tmp_path):
    with running_fleet(6, "hostile=1") as fleet:
        for node, act in zip(
            fleet.nodes,
            ("script_names", "wrong_types", "crlf_names", "html", "nan", "surrogate"),
            strict=True,
        ):
            node.become(node.character, act)
        console = launch(
            CONFIG_DIR=str(config_of(fleet.fleet, tmp_path / "config")),
            NODES_POLL_INTERVAL_SEC="1",
            NODES_PROBE_TIMEOUT_SEC="1",
        )
        with watched_page(console.url) as browser:
            page = browser.open("/ui/")
            for node in fleet.nodes:
                expect(page.locator(f"#tile-{node.node_id}")).to_have_attribute(
                    "data-state", re.compile("online|degraded"), timeout=SOON
                )
            for node in fleet.nodes:
                response = page.goto(f"{console.url}/ui/nodes/{node.node_id}")
                assert response is not None
                assert response.status == 200
            page.goto(f"{console.url}/ui/events")

            assert browser.complaints == []
        assert "Traceback" not in console.log_text
