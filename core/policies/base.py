"""What every policy object is: frozen, and without room for keys that nobody reads."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Policy(BaseModel):
    """Base of every policy model, the whole file's and its parts'. Unknown keys are errors."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


class Meta(Policy):
    """Who answers for a file, for people to read."""

    owner: str | None = Field(default=None, max_length=200)
    description: str | None = Field(default=None, max_length=2000)


class Header(Policy):
    """What every file may begin with, whatever else it holds."""

    version: Literal[1] = 1
    meta: Meta = Meta()
