"""What every policy object is: frozen, and without room for keys that nobody reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

Loc = tuple[str | int, ...]


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


def misfit(problems: Iterable[tuple[Loc, str]]) -> ValidationError:
    """For validators that look at more than one field: an error for each place, seen from the validated model.

    A place that ends in "[key]" is the key itself: `("nodes", "A", "[key]")`.
    """
    details = [
        InitErrorDetails(
            type=PydanticCustomError("misfit", "{message}", {"message": message}),
            loc=loc,
            input=None,
        )
        for loc, message in problems
    ]
    return ValidationError.from_exception_data("policy", details, hide_input=True)
