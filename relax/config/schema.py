"""The configuration's JSON schema, made from the models, and the rule of a single key.

``python -m relax.config.schema`` prints the schema, for editors that check YAML while it is written.
"""

import functools
import json
from collections.abc import Sequence
from typing import Any

from relax.config.experiment import Experiment

Rule = dict[str, Any]


@functools.cache
def schema() -> Rule:
    """The JSON schema (draft 2020-12) of a merged configuration, as editors and other programs read it."""
    draft = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    made: Rule = _without_titles(Experiment.model_json_schema())
    return {**draft, "title": "Configuration of the ReLaX pipeline", **made}


def rule_of(key: Sequence[str | int]) -> Rule:
    """The rule of the value at a key; an empty one where the key is not described."""
    rule = schema()
    for part in key:
        found = _inner(resolved(rule), part)
        if found is None:
            return {}
        rule = found
    return resolved(rule)


def choices(rule: Rule) -> list[Rule]:
    """The kinds of values that a rule admits; most admit one."""
    return [resolved(one) for one in rule.get("anyOf", [rule])]


def of_entries(rule: Rule) -> Rule | None:
    """The rule of the entries below names that the user chooses; None where the keys are given."""
    found = [*rule.get("patternProperties", {}).values(), rule.get("additionalProperties")]
    return next((dict(one) for one in found if isinstance(one, dict)), None)


def resolved(rule: Rule) -> Rule:
    """The rule with the definition that it refers to below what it says itself."""
    if "$ref" not in rule:
        return rule
    definition = schema()["$defs"][rule["$ref"].removeprefix("#/$defs/")]
    return {**definition, **{name: value for name, value in rule.items() if name != "$ref"}}


def _inner(rule: Rule, part: str | int) -> Rule | None:
    for one in choices(rule):
        if isinstance(part, int) and "items" in one:
            return dict(one["items"])
        if part in one.get("properties", {}):
            return dict(one["properties"][part])
        if entry := of_entries(one):
            return entry
    return None


def _without_titles(value: Any) -> Any:
    """Pydantic names every key once more, as a title; a key that is called title has a mapping there."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if k != "title" or isinstance(v, dict)}
        return {name: _without_titles(item) for name, item in kept.items()}
    return [_without_titles(item) for item in value] if isinstance(value, list) else value


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
