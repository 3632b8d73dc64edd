"""The base of every typed part of the configuration: strict, frozen, and described key by key.

A key's docstring is its only description. The first sentence stands in the message of a fault, the whole text in the
table of keys of ``config/README.md``.
"""

import re
from collections.abc import Hashable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_serializer,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, PydanticUndefined

Item = TypeVar("Item", bound=Hashable)


class Settings(BaseModel):
    """Keys and values of one part of the configuration.

    A key that is not declared is refused, a value is never changed afterwards, and no text becomes a number.
    """

    # Checks are built when they are first asked for: `relax --help` needs none.
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, allow_inf_nan=False, defer_build=True
    )

    def recorded(self) -> dict[str, Any]:
        """The keys and values as plain JSON: what a run record holds, and what a digest is taken of."""
        # Pydantic would warn of a whole number where any number may stand.
        return self.model_dump(warnings=False)

    @model_serializer(mode="wrap")
    def _without_unset_late_keys(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        late = {name for name, field in fields.items() if _said(field).get("late")}
        return {
            name: value
            for name, value in dump(self).items()
            if name not in late or getattr(self, name) != fields[name].default
        }


def key(
    default: Any = PydanticUndefined,
    *,
    unit: str | None = None,
    paper: str | None = None,
    trl: str | None = None,
    late: bool = False,
) -> Any:
    """A key of a :class:`Settings` with what its type does not say.

    Args:
        default: its value where no file names the key; without one the key is required.
        unit: what a number counts, such as ``tokens``.
        paper: the paper's value and where it stands, or ``not stated``; None where the key is this repository's own.
        trl: the argument of TRL's ``GRPOConfig``, or of ``ReLaXConfig``, that takes the value as it is.
        late: the key is younger than recorded runs. A record leaves the key out while it has its default, so that the
            digests of those runs stay what they were.
    """
    said = {"unit": unit, "paper": paper, "trl": trl, "late": late or None}
    return Field(default, json_schema_extra={name: text for name, text in said.items() if text is not None})


def _said(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def sentences(description: str | None) -> list[str]:
    """What is said of a key, sentence by sentence."""
    return [part for part in re.split(r"(?<=\.) (?=[A-Z`\[<])", " ".join((description or "").split())) if part]


def contradiction(message: str, *places: str | Sequence[str]) -> PydanticCustomError:
    """What a validator raises: a whole sentence about keys that contradict each other.

    The sentence reaches the user as it is, behind the file and line that set one of the keys last; ``{key}`` in it
    becomes the full name of the model.

    Args:
        message: the sentence.
        places: the keys concerned, each by its name in the model or by its names below the model; without any the
            model itself is concerned.
    """
    below = [[place] if isinstance(place, str) else list(place) for place in places]
    return PydanticCustomError("contradiction", "{message}", {"message": message, "places": below or [[]]})


def _as_written(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    # A whole number stays one: digests of settings are taken of what the files say.
    check(value)
    return value


def _nothing_twice(values: list[Item]) -> list[Item]:
    if len(set(values)) < len(values):
        raise PydanticCustomError("not_unique", "expected nothing twice")
    return values


def _is_path(value: str) -> str:
    if not value.strip() or value[0] in "~$":
        raise contradiction(
            f"{{key}} is {value!r}, expected a path as it is; write out what a shell would put in place of ~ and $."
            if value.strip()
            else "{key} is empty, expected a path."
        )
    return value


def _is_text(value: str) -> str:
    if control := next((sign for sign in value if ord(sign) < 32 and sign not in "\n\r\t"), None):
        raise contradiction(
            f"{{key}} holds the control character {control!r}, which YAML reads within double quotes out of LaTeX such "
            "as \\boxed or \\frac; write single quotes, or none."
        )
    return value


#: A file or folder on this machine, as it is: nothing expands ``~`` here.
LocalPath = Annotated[str, AfterValidator(_is_path)]
#: A text that a policy reads.
Text = Annotated[str, AfterValidator(_is_text)]
#: The mark of a number that is kept as it is written, whole or not; bounds stand before it.
AS_WRITTEN = WrapValidator(_as_written)
#: Numbers: any, from 0, above 0, from 0 to 1, above 0 up to 1, between 0 and 1.
Number = Annotated[float, AS_WRITTEN]
FromZero = Annotated[float, Field(ge=0), AS_WRITTEN]
Positive = Annotated[float, Field(gt=0), AS_WRITTEN]
Share = Annotated[float, Field(ge=0, le=1), AS_WRITTEN]
PositiveShare = Annotated[float, Field(gt=0, le=1), AS_WRITTEN]
ProperShare = Annotated[float, Field(gt=0, lt=1), AS_WRITTEN]
#: Whole numbers from 0 and from 1.
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
#: A list with no item twice, and one with an item or more.
Distinct = Annotated[list[Item], Field(json_schema_extra={"uniqueItems": True}), AfterValidator(_nothing_twice)]
Several = Annotated[
    list[Item], Field(min_length=1, json_schema_extra={"uniqueItems": True}), AfterValidator(_nothing_twice)
]
#: The name of a policy, a method, a benchmark or an ablation.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
#: A commit of a repository on the hub.
Revision = Annotated[str, Field(pattern="^([0-9a-f]{40}|unpinned)$")]
