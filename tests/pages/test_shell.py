"""What stands around every page, before any script runs."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/ui/", "/ui/events", "/ui/settings"])
def test_without_scripts_it_says_that_nothing_is_live(client, path):
    text = client.get(path).content.decode()

    assert "Not live: JavaScript is off" in text
    assert 'class="say js-only"' in text


def test_the_settings_name_the_bff_and_the_pulse_the_console(client):
    text = client.get("/ui/settings").content.decode()

    assert "<dt>BFF</dt>" in text
    assert 'Console <span class="mark"' in text


def test_a_call_as_curl_has_a_key_only_where_one_is_needed(as_role, prod):
    # Within double quotes the shell puts the key in.
    header = "curl -H &quot;Authorization: Bearer $SOFIIA_CONSOLE_API_KEY&quot; "

    assert header in as_role("viewer").get("/api/docs").content.decode()


def test_a_call_as_curl_needs_no_key_in_dev(client):
    assert "data-copy=\"curl 'http" in client.get("/api/docs").content.decode()
