"""A JSON document and the name of a schema to everything about its shape that is wrong.

``<name>.schema.json`` beside this file is the only truth about shape. A compiled engine answers
"is it valid?" in microseconds; only when the answer is no is jsonschema imported, which says
where and why, and :mod:`schemas.wording` puts its reasons into our own words.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import jsonschema_rs

from schemas.wording import Violation, explain, show

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

__all__ = ["Violation", "load_schema", "violations"]

_SUFFIX: Final = ".schema.json"
_TOO_DEEP: Final = "is nested too deep to say what is wrong with it"


def load_schema(name: str) -> dict[str, Any]:
    """Read ``<name>.schema.json`` from this package. A fresh copy each time."""
    # Not importlib.resources, which imports tempfile and inspect: 13 ms of every start.
    file = Path(__file__).with_name(f"{name}{_SUFFIX}")
    schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return schema


def violations(document: object, schema_name: str) -> tuple[Violation, ...]:
    """Return everything that is wrong with the shape of a document, by path; empty when valid.

    The document is made of what JSON knows: dicts with string keys, lists, strings, numbers,
    booleans and ``None``.
    """
    validator = _fast_validator(schema_name)
    if validator.is_valid(document):
        return ()
    try:
        found = set(explain(_slow_validator(schema_name).iter_errors(document)))
    except RecursionError:  # jsonschema spells out every value that it refuses, to its last bracket
        return (Violation(path=(), value="", rule=_TOO_DEEP),)
    # Two engines may differ in a corner: what the first refused must not come out as valid.
    return tuple(sorted(found or set(_explain_fast(validator, document)), key=_by_path))


@cache
def _fast_validator(name: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(_bundle(name))


@cache
def _slow_validator(name: str) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator, validators  # noqa: PLC0415 - 0.1 s for errors only

    extended: type[Draft202012Validator] = validators.extend(  # type: ignore[no-untyped-call]  # the stubs leave it bare
        Draft202012Validator, {"pattern": _check_pattern}
    )
    return extended(_bundle(name))


def _check_pattern(
    _validator: object, pattern: str, instance: object, _schema: object
) -> "Iterator[ValidationError]":
    """Match as JSON Schema means it: in ECMA 262, unlike here, ``$`` is not before a newline."""
    from jsonschema import ValidationError  # noqa: PLC0415 - imported by now

    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError(f"must match {pattern}")


def _bundle(name: str) -> dict[str, Any]:
    """Return a schema with the siblings it refers to embedded, so that nothing is fetched."""
    schema = load_schema(name)
    seen, wanted = {name}, _siblings(schema)
    while wanted := wanted - seen:
        for sibling in sorted(wanted):
            embedded = load_schema(sibling)
            schema.setdefault("$defs", {})[f"{sibling}{_SUFFIX}"] = embedded
            seen.add(sibling)
            wanted = wanted | _siblings(embedded)
    return schema


def _siblings(node: object) -> set[str]:
    """Collect the names of the sibling schemas a schema refers to."""
    if isinstance(node, list):
        return set().union(*map(_siblings, node))
    if not isinstance(node, dict):
        return set()
    found = set().union(*map(_siblings, node.values()))
    target = str(node.get("$ref", "")).partition("#")[0].rpartition("/")[2]
    return found | ({target.removesuffix(_SUFFIX)} if target.endswith(_SUFFIX) else set())


def _explain_fast(validator: jsonschema_rs.Validator, document: object) -> Iterator[Violation]:
    for error in validator.iter_errors(document):
        path = tuple(error.instance_path)
        yield Violation(path=path, value=show(error.instance), rule=error.message)


def _by_path(violation: Violation) -> tuple[list[tuple[bool, int, str]], str, str]:
    """Order by path, where an index must not be compared with a key."""
    steps = [
        (isinstance(step, str), step if isinstance(step, int) else 0, str(step))
        for step in violation.path
    ]
    return steps, violation.value, violation.rule
