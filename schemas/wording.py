"""jsonschema's errors to sentences that say what to do.

A schema may word a pattern, or a ``not``, itself: its ``x-rule`` is the sentence that is shown.
"""

import difflib
import json
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from schemas.state import Value

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

RULE: Final = "x-rule"
"""The annotation by which a schema words what its patterns mean: ``must be ...``."""

KEY: Final = "x-key"
"""The annotation of a field that holds a key: a wrong value is never shown, only its length."""

_SHOWN: Final = 60


class Violation(Value, frozen=True, kw_only=True):
    """One place where a document breaks its schema."""

    path: tuple[str | int, ...]
    """Keys and indices from the root to the field, which may be one that is missing."""
    value: str
    """What stands there, shortened; empty when nothing does, or when it might be a secret."""
    rule: str
    meant: str = ""
    """Of an unknown field: the field that was probably meant, which then is not missing."""


def show(value: object) -> str:
    """Spell a value for an error: a string as it is, all else as JSON, shortened."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:  # nested a thousand times: not worth showing
        return "…"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def find_nearest(word: str, known: Iterable[str]) -> str:
    """Return the known word that was probably meant; empty when none is near."""
    by_lower = {name.lower(): name for name in sorted(known)}
    lower = word.lower()
    near = difflib.get_close_matches(lower, by_lower, n=1, cutoff=0.6)
    near += [name for name in by_lower if len(name) > 2 and lower.startswith(name)]  # noqa: PLR2004 - two letters begin anything
    return by_lower[near[0]] if near else ""


def suggest(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant: `` (did you mean "x"?)``; or nothing."""
    nearest = find_nearest(word, known)
    return f' (did you mean "{nearest}"?)' if nearest else ""


def explain(errors: Iterable["ValidationError"]) -> Iterator[Violation]:
    """Word each error; one that names several fields becomes one violation for each."""
    for error in errors:
        path = tuple(error.absolute_path)
        match error.validator:
            case "additionalProperties" | "unevaluatedProperties" if not error.validator_value:
                yield from _unknown_fields(error, path)
            case "required":
                yield from _missing_fields(error, path)
            case "anyOf" | "oneOf" if error.context:
                yield from explain(_closest_branch(error.context))
            case _:
                yield _violation_of(error, path)


def _violation_of(error: "ValidationError", path: tuple[str | int, ...]) -> Violation:
    """Word an error at a field. What is no key may be a secret that was pasted there."""
    if not _schema_of(error).get(KEY):
        return Violation(path=path, value=show(error.instance), rule=_rule(error))
    if not isinstance(error.instance, str):
        return Violation(path=path, value="", rule=_rule(error))
    length = len(error.instance)
    given = f"; what stands here has {length} character{'s'[: length != 1]}"
    return Violation(path=path, value="", rule=_rule(error) + given)


def _unknown_fields(error: "ValidationError", path: tuple[str | int, ...]) -> Iterator[Violation]:
    """Name each field that the schema does not know, but not its value: it may be a secret."""
    properties = _schema_of(error).get("properties", {})
    for field in _unknown_of(error):
        meant = find_nearest(field, properties) or _find_below(field, properties)
        known = f" (known: {', '.join(sorted(properties))})" if properties else ""
        hint = f' (did you mean "{meant}"?)' if meant else known
        rule = f"unknown field{hint}"
        yield Violation(path=(*path, field), value="", rule=rule, meant=meant)


def _unknown_of(error: "ValidationError") -> list[str]:
    return sorted(set(_fields_of(error)) - set(_schema_of(error).get("properties", {})))


def _find_below(field: str, properties: dict[str, Any]) -> str:
    """Look for a field one level down, where it was perhaps meant to stand."""
    for section, schema in properties.items():
        if field in schema.get("properties", {}):
            return f"{section}.{field}"
    return ""


def _missing_fields(error: "ValidationError", path: tuple[str | int, ...]) -> Iterator[Violation]:
    """Name each field that is required and missing; one that is only misspelt is not."""
    schema = _schema_of(error)
    closed = schema.get("additionalProperties") is False
    properties = schema.get("properties", {})
    misspelt = {find_nearest(field, properties) for field in _unknown_of(error) if closed}
    for field in schema["required"]:
        if field not in _fields_of(error) and field not in misspelt:
            yield Violation(path=(*path, field), value="", rule="required field is missing")


def _closest_branch(context: Iterable["ValidationError"]) -> list["ValidationError"]:
    """Pick the branch of an anyOf that the author probably meant: the one violated deepest."""
    branches: dict[int, list[ValidationError]] = {}
    for error in context:
        branches.setdefault(int(error.relative_schema_path[0]), []).append(error)

    def distance(errors: list["ValidationError"]) -> tuple[bool, int, int]:
        other_kind = any(
            (error.validator == "type" and not error.path)
            or (error.validator == "const" and len(error.path) <= 1)
            for error in errors
        )
        return other_kind, -max(len(error.path) for error in errors), len(errors)

    return min(branches.values(), key=distance)


def _rule(error: "ValidationError") -> str:
    schema = _schema_of(error)
    sentence = _SENTENCES.get(str(error.validator))
    if sentence is None:
        return str(schema.get(RULE) or error.message)
    return sentence(schema, error.instance)


def _schema_of(error: "ValidationError") -> dict[str, Any]:
    return error.schema if isinstance(error.schema, dict) else {}


def _fields_of(error: "ValidationError") -> dict[str, Any]:
    return error.instance if isinstance(error.instance, dict) else {}


def _wrong_type(schema: dict[str, Any], instance: object) -> str:
    wanted = schema["type"]
    kinds = [wanted] if isinstance(wanted, str) else wanted
    names = " or ".join(_TYPES[kind] for kind in kinds)
    given = "a fraction" if isinstance(instance, float) else name_type(instance)
    return f"must be {names}, not {given}{_quoting(kinds, instance)}"


def _quoting(wanted: list[str], instance: object) -> str:
    """Say how to mend a scalar whose quotes are missing, or too many."""
    match instance:
        case bool() if "string" in wanted:
            return " (unquoted yes, no, on, off, true and false are booleans: put it in quotes)"
        case int() | float() if "string" in wanted:
            return " (put it in quotes)"
        case str() if "integer" in wanted and instance.isdecimal():
            return " (drop the quotes)"
        case "true" | "false" if "boolean" in wanted:
            return " (drop the quotes)"
        case _:
            return ""


def _not_listed(schema: dict[str, Any], instance: object) -> str:
    wanted = schema["enum"]
    is_word = isinstance(instance, str) and instance.isalpha()
    hint = suggest(str(instance), map(str, wanted)) if is_word else ""
    return f"must be one of {', '.join(map(json.dumps, wanted))}{hint}"


def _out_of_range(schema: dict[str, Any], _instance: object) -> str:
    match schema.get("minimum"), schema.get("maximum"):
        case low, None:
            return f"must be at least {low}"
        case None, high:
            return f"must be at most {high}"
        case low, high:
            return f"must be between {low} and {high}"


def _too_few(schema: dict[str, Any], _instance: object) -> str:
    least = schema["minItems"]
    return "must not be empty" if least == 1 else f"must have at least {least} items"


def _too_long(schema: dict[str, Any], _instance: object) -> str:
    return str(schema.get(RULE) or f"must have at most {schema['maxLength']} characters")


_SENTENCES: Final[dict[str, Callable[[dict[str, Any], object], str]]] = {
    "type": _wrong_type,
    "enum": _not_listed,
    "const": lambda schema, _: f"must be {json.dumps(schema['const'])}",
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "minItems": _too_few,
    "maxItems": lambda schema, _: f"must have at most {schema['maxItems']} items",
    "maxLength": _too_long,
    "uniqueItems": lambda _schema, _: "must not hold the same item twice",
}

_TYPES: Final = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


def name_type(value: object) -> str:
    """Name the JSON type of a value, with its article."""
    names = {str: "a string", bool: "a boolean", list: "a list", dict: "a mapping"}
    return "null" if value is None else names.get(type(value), "a number")
