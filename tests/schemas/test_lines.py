"""JSON text to the lines of its values."""

import json

import pytest

from schemas.lines import find_repeated, locate

TEXT = """\
{
  "a": {"b, \\"{": [1, {"c": null}, []],
    "d": {}},

  "e": [
    [true,
     false], "}"
  ]
}
"""


def test_every_value_has_its_line() -> None:
    assert list(locate(TEXT)) == [
        (("a",), 2),
        (("a", 'b, "{'), 2),
        (("a", 'b, "{', 0), 2),
        (("a", 'b, "{', 1), 2),
        (("a", 'b, "{', 1, "c"), 2),
        (("a", 'b, "{', 2), 2),
        (("a", "d"), 3),
        (("e",), 5),
        (("e", 0), 6),
        (("e", 0, 0), 6),
        (("e", 0, 1), 7),
        (("e", 1), 7),
    ]


@pytest.mark.parametrize("text", ["{}", "[]", "1", '"a"', "null", ' {"a": {}} '])
def test_small_texts_are_read_to_their_end(text: str) -> None:
    expected = [(("a",), 1)] if "a" in text and "{" in text else []
    assert expected == list(locate(text))


def test_depth_is_no_danger() -> None:
    assert len(list(locate("[" * 5000 + "]" * 5000))) == 4999


def test_an_object_after_an_object_is_not_taken_for_a_key() -> None:
    assert [path for path, _ in locate('[{}, "x", {"k": {}}, 2]')] == [
        (0,),
        (1,),
        (2,),
        (2, "k"),
        (3,),
    ]


def test_repeated_fields_are_found_wherever_they_are_written() -> None:
    text = '{"a": 1,\n "b": {"c": 1, "d": 2,\n "\\u0063": 2},\n "a": {"x": 1}}'
    assert json.loads(text) == {"a": {"x": 1}, "b": {"c": 2, "d": 2}}
    assert list(find_repeated(text)) == [(("b", "c"), 3), (("a",), 4)]


def test_what_is_inside_of_a_repeated_field_is_not_told_again() -> None:
    text = '{"a": {"x": 1, "y": 1},\n "a": {"x": 1, "y": 1},\n "a": 3}'
    assert list(find_repeated(text)) == [(("a",), 2), (("a",), 3)]
