"""Every fault of a policy file is one line: file, line, column, and what was expected."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from core.policies.base import Policy
from core.policies.fields import Duration, SecretRef, Size
from core.policies.loader import PolicyError, load_policy, parse_policy


class Tool(Policy):
    timeout: Duration = 30.0
    output_max: Size = 1024
    env: Literal["dev", "prod"] = "dev"
    retries: Annotated[int, Field(ge=0, le=5)] = 0
    rate: float = 1.0
    paused: bool = False
    nodes: tuple[str, ...] = ()
    ports: Literal["any"] | list[int] = "any"
    key: SecretRef | None = None
    label: str | None = None


class Tools(Policy):
    defaults: Tool = Tool()
    tools: dict[str, Tool]
    steps: tuple[Tool, ...] = ()


NAME = Path("tools.yml")


def faults(text: str) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text.encode(), NAME, Tools)
    return str(caught.value).splitlines()


ONE_FAULT = {
    "tools: {}\ntoolz: {}": '2:1: toolz: unknown key, did you mean "tools"?',
    "tools:\n  a: {retires: 1}": '2:7: tools.a.retires: unknown key, did you mean "retries"?',
    "tools: {}\nsteps:\n- {}\n- paussed: 1": (
        '4:3: steps[1].paussed: unknown key, did you mean "paused"?'
    ),
    "tools: {}\nzzzzzz: 1": "2:1: zzzzzz: unknown key, expected one of: defaults, steps, tools",
    "defaults: {}": '1:1: the key "tools" is missing',
    "tools: 5": "1:8: tools: expected a mapping (key: value), found a number",
    "tools: [a]": "1:8: tools: expected a mapping (key: value), found a list",
    "tools:": "1:7: tools: expected a mapping (key: value), found nothing",
    "tools: {a: x}": "1:12: tools.a: expected a mapping (key: value), found text",
    "tools: {a: {paused: yes}}": "1:21: tools.a.paused: expected true or false, found text",
    "tools: {a: {paused: 1}}": "1:21: tools.a.paused: expected true or false, found a number",
    "tools: {a: {retries: true}}": (
        "1:22: tools.a.retries: expected a whole number, found true or false"
    ),
    'tools: {a: {retries: "2"}}': "1:22: tools.a.retries: expected a whole number, found text",
    "tools: {a: {retries: 1.5}}": "1:22: tools.a.retries: expected a whole number, found a number",
    "tools: {a: {retries: 9}}": "1:22: tools.a.retries: expected less than or equal to 5",
    "tools: {a: {rate: .nan}}": "1:19: tools.a.rate: expected a number, found text",
    "tools: {a: {label: 5}}": (
        "1:20: tools.a.label: expected text, found a number, put it in quotes"
    ),
    "tools: {a: {label: true}}": (
        "1:20: tools.a.label: expected text, found true or false, put it in quotes"
    ),
    "tools: {a: {env: qa}}": "1:18: tools.a.env: expected 'dev' or 'prod'",
    "tools: {a: {nodes: NODA1}}": "1:20: tools.a.nodes: expected a list, found text",
    "tools:\n  a:\n    nodes:\n    - x\n    - 7": (
        "5:7: tools.a.nodes[1]: expected text, found a number, put it in quotes"
    ),
    "tools: {a: {ports: x}}": "1:20: tools.a.ports: expected 'any' or a list, found text",
    "tools: {a: {timeout: 30}}": "1:22: tools.a.timeout: expected a number with its unit, like 30s",
    "tools: {a: {timeout: 1y}}": (
        "1:22: tools.a.timeout: expected a duration like 500ms, 30s, 5m, 1h or 30d"
    ),
    "tools: {a: {output_max: 5}}": (
        "1:25: tools.a.output_max: expected a number with its unit, like 20MiB"
    ),
    'tools: {"a b": {env: 1}}': "1:22: tools.\"a b\".env: expected 'dev' or 'prod'",
    'tools: {"a\\nb": {env: 1}}': "1:23: tools.\"a\\u000ab\".env: expected 'dev' or 'prod'",
    "é: 1\ntools: {}": "1:1: é: unknown key, expected one of: defaults, steps, tools",
    "tools: {é: {env: x}}": "1:18: tools.é.env: expected 'dev' or 'prod'",
    "- a": "1:1: expected a mapping (key: value)",
    "": "1:1: expected a mapping (key: value)",
    "tools: {}\nversion: 2": "2:10: version: expected 1",
    "tools: {}\nmeta: {owner: 5}": (
        "2:15: meta.owner: expected text, found a number, put it in quotes"
    ),
    "tools: {}\nmeta: {team: x}": "2:8: meta.team: unknown key, expected one of: description, owner",
}


@pytest.mark.parametrize(("text", "fault"), ONE_FAULT.items(), ids=lambda value: repr(value)[:40])
def test_a_fault_names_its_place_and_what_was_expected(text: str, fault: str) -> None:
    assert faults(text) == [f"tools.yml:{fault}"]


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = "meta: {x: 1}\ntools:\n  a: {env: x, retries: z}\n  b: 7\nstepz: 1\n"

    assert [line.split(": ")[0] for line in faults(text)] == [
        "tools.yml:1:8", "tools.yml:3:12", "tools.yml:3:24", "tools.yml:4:6", "tools.yml:5:1"
    ]  # fmt: skip


def test_the_error_carries_the_first_fault_in_parts() -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(b"tools: {}\nx: 1\ny: 2", NAME, Tools)

    error = caught.value
    assert (error.path, error.line, error.column) == ("tools.yml", 2, 1)
    assert error.message.startswith("x: unknown key")
    assert len(error.faults) == 2


def test_a_secret_is_never_shown() -> None:
    secret = "hunter2-correct-horse"
    for field in ("key", "env", "retries", "timeout", "output_max", "ports", "paused"):
        assert secret not in faults(f"tools: {{a: {{{field}: {secret}}}}}")[0]


def test_version_and_meta_are_welcome_in_every_file(tmp_path: Path) -> None:
    path = tmp_path / "tools.yml"
    path.write_text("version: 1\nmeta: {owner: ops, description: All tools}\ntools: {a: {}}\n")

    loaded = load_policy(path, Tools)

    assert loaded.meta.owner == "ops"
    assert loaded.value.tools["a"].timeout == 30.0
    assert loaded.path == path


def test_the_digest_is_that_of_the_bytes() -> None:
    data = b"tools: {}\n# a remark\n"

    assert parse_policy(data, NAME, Tools).digest == sha256(data).hexdigest()


def test_a_policy_cannot_be_changed() -> None:
    policy = parse_policy(b"tools: {a: {}}", NAME, Tools).value

    with pytest.raises(ValueError, match="frozen"):
        policy.tools["a"].retries = 3  # type: ignore[misc]


def test_the_schema_is_made_from_the_model() -> None:
    schema = Tools.model_json_schema()

    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Tool"]["properties"]["timeout"]["type"] == "string"
