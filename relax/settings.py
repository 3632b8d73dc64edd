"""The base of every typed part of the configuration: strict, frozen, and described key by key."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Keys and values of one part of the configuration.

    A key that is not declared is refused, a value is never changed afterwards, and no text becomes a number.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)
