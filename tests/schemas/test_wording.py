import pytest
from jsonschema import Draft202012Validator

from schemas.wording import Violation, explain, show, suggest

ROUTE = {"properties": {"kind": {"const": "route"}, "metric": {"minimum": 0}}, "required": ["kind"]}
LINK = {"properties": {"kind": {"const": "link"}, "mtu": {"maximum": 9}}, "required": ["kind"]}


def rules(schema: dict[str, object], document: object) -> list[tuple[tuple[str | int, ...], str]]:
    found = explain(Draft202012Validator(schema).iter_errors(document))
    return [(violation.path, violation.rule) for violation in found]


@pytest.mark.parametrize(
    ("schema", "document", "rule"),
    [
        ({"type": ["array", "null"]}, 1, "must be a list or null, not a number"),
        ({"type": "object"}, [], "must be a mapping, not a list"),
        ({"type": "boolean"}, "true", "must be true or false, not a string (drop the quotes)"),
        ({"minimum": 1}, 0, "must be at least 1"),
        ({"maximum": 1}, 2, "must be at most 1"),
        ({"minimum": 1, "maximum": 3}, 4, "must be between 1 and 3"),
        ({"minItems": 2}, [], "must have at least 2 items"),
        ({"maxItems": 1}, [1, 2], "must have at most 1 items"),
        ({"uniqueItems": True}, [1, 1], "must not hold the same item twice"),
        ({"const": "a"}, "b", 'must be "a"'),
        ({"enum": ["nft", "auto"]}, "aut", 'must be one of "nft", "auto" (did you mean "auto"?)'),
        ({"enum": [1, "a"]}, 2, 'must be one of 1, "a"'),
        ({"maxLength": 1}, "ab", "must have at most 1 characters"),
        ({"maxLength": 1, "x-rule": "must be an a"}, "ab", "must be an a"),
        ({"not": {"enum": ["b"]}, "x-rule": "must be an a"}, "b", "must be an a"),
        ({"pattern": "^a$", "x-rule": "must be an a"}, "b", "must be an a"),
        ({"pattern": "^a$"}, "b", "'b' does not match '^a$'"),
    ],
)  # fmt: skip
def test_rule_is_a_sentence(schema: dict[str, object], document: object, rule: str) -> None:
    assert rules(schema, document) == [((), rule)]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"kind": "route", "metric": -1}, [(("metric",), "must be at least 0")]),
        ({"kind": "link", "mtu": 10}, [(("mtu",), "must be at most 9")]),
    ],
)
def test_branch_that_was_meant_is_explained(
    document: object, expected: list[tuple[tuple[str | int, ...], str]]
) -> None:
    schema = {"anyOf": [{"type": "null"}, ROUTE, LINK]}
    assert rules(schema, document) == expected


def test_misspelt_field_is_not_missing_as_well() -> None:
    schema = {
        "properties": {"publicKey": {}},
        "required": ["publicKey"],
        "additionalProperties": False,
    }
    (found,) = explain(Draft202012Validator(schema).iter_errors({"pubkey": 1}))
    rule = 'unknown field (did you mean "publicKey"?)'
    assert found == Violation(path=("pubkey",), value="", rule=rule, meant="publicKey")


def test_field_of_an_empty_mapping_has_no_neighbours_to_name() -> None:
    schema: dict[str, object] = {"additionalProperties": False}
    assert rules(schema, {"a": 1}) == [(("a",), "unknown field")]


def test_suggestion_is_the_nearest_or_the_one_it_begins_with() -> None:
    words = ["endpoint", "nft", "podCIDRs"]
    assert [suggest(word, words) for word in ("podcidrs", "nftables", "colour")] == [
        ' (did you mean "podCIDRs"?)',
        ' (did you mean "nft"?)',
        "",
    ]


def test_value_is_shown_as_text_or_json() -> None:
    assert [show(value) for value in ("é", None, [1, "a"], True)] == [
        "é",
        "null",
        '[1, "a"]',
        "true",
    ]
