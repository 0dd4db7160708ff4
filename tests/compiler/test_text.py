import sys

import pytest
import yaml

from compiler.reading import Document, Fault, grow_tree
from compiler.source import Source
from compiler.text import find_lines, read_source


def read(text: str, name: str = "-") -> tuple[list[object], tuple[Fault, ...]]:
    reading = read_source(Source(name=name, text=text))
    return [document.value for document in reading.documents], reading.faults


def fault(text: str, name: str = "-") -> tuple[int, str]:
    values, faults = read(text, name)
    assert (values, len(faults)) == ([], 1)
    return faults[0].line, faults[0].rule


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("---\n---\n", []),
        ("# nothing\n", []),
        ("a: 1\n---\n- b\n", [{"a": 1}, ["b"]]),
        ('{"a": 1}', [{"a": 1}]),
        ('{"a": 1}\n[2]{"b":[]}', [{"a": 1}, [2], {"b": []}]),
        ("{a: 1, b: [c]}", [{"a": 1, "b": ["c"]}]),
        ('{"a": 1}\n---\nb: 2\n', [{"a": 1}, {"b": 2}]),
        ("\ufeff{}", [{}]),
        ("\ufeffa: b", [{"a": "b"}]),
        ("{}", [{}]),
        ('{"items": [ ]}', [{"items": []}]),
        ("a: &a b\n&c d: *c\n", [{"a": "b", "d": "d"}]),
        (" \n\t", []),
        ('{"a": "\\ud83d\\ude00"}', [{"a": "😀"}]),
    ],
)
def test_every_document_of_a_stream_is_read(text: str, values: list[object]) -> None:
    assert read(text) == (values, ())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11", "2026-11"),
        ("2026-11-01", "2026-11-01"),
        ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z"),
        ("12:30:45", "12:30:45"),
        ("no", False),
        ("Yes", True),
        ("y", "y"),
        ("'no'", "no"),
        ("!!str no", "no"),
        ("! no", "no"),
        ("!!int '7'", 7),
        ("~", None),
        ("0x1F", 31),
        ("0b11", 3),
        ("017", 15),
        ("08", 8.0),
        ("1_000", 1000),
        ("-5", -5),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        (".", "."),
        ("-", "-"),
        ("0x_", "0x_"),
        ("9" * 5000, "9" * 5000),
        ("=", "="),
    ],
)
def test_yaml_scalar_means_what_kubernetes_tools_make_of_it(text: str, value: object) -> None:
    if text == "-":
        text = "'-'"
    assert read(f"a: {text}") == ([{"a": value}], ())


def test_yaml_keys_are_text_as_written() -> None:
    assert read("on: 1\n2: b\n~: c\n") == ([{"on": 1, "2": "b", "~": "c"}], ())


def test_yaml_aliases_and_merges_are_followed() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {z: 4}]}\nd: *a\n"
    a = {"x": 1, "y": 2}
    expected = {"a": a, "b": {"x": 1, "y": 3}, "c": a | {"z": 4}, "d": a}
    assert read(text) == ([expected], ())


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ("a: *x", 1, "the alias '*x' has no anchor '&x' before it"),
        ("a: &x\n  b: *x", 2, "the alias '*x' stands inside what it stands for"),
        ("a: &x b\n*x : c", 2, "an alias cannot be a key"),
        ("a: 1\n---\n[a]: b", 3, "a mapping or a list cannot be a key"),
        ("a: !x b", 1, "the tag '!x' means nothing in Kubernetes objects"),
        ("a: !x [b]", 1, "the tag '!x' means nothing in Kubernetes objects"),
        ("a: !!int b", 1, "the tag 'tag:yaml.org,2002:int' does not fit its value"),
        ("<<: 5", 1, "'<<' takes a mapping, or a list of mappings"),
        ("[" * 201 + "]" * 201 + " # YAML", 1, "is nested more than 200 deep"),
        ("a: b\n\0", 2, "is not YAML: there is a control character in it"),
        ("a: \udcff", 1, "is not text: it is not in UTF-8"),
    ],
)
def test_yaml_that_cannot_be_made_sense_of_has_a_fault(text: str, line: int, rule: str) -> None:
    assert fault(text, "x.yaml") == (line, rule)


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ('{"a"}', 1, "is not JSON: expecting ':' (column 5)"),
        ('{"a": 1,}', 1, "is not JSON: expecting a key in double quotes (column 9)"),
        ('{\n"a": 1 "b"}', 2, "is not JSON: expecting ',' or '}' (column 8)"),
        ('{"items": [1 2]}', 1, "is not JSON: expecting ',' or ']' (column 14)"),
        ('{"a": ', 1, "is not JSON: expecting value (column 7)"),
        ("nothing", 1, "is not JSON: expecting value (column 1)"),
        ('{"a":\n"NaN", "b":\nNaN}', 3, "is not JSON: NaN is no number"),
        ("[" * 100_000, 1, "is nested too deep to be read"),
    ],
)
def test_json_that_does_not_parse_has_a_fault(text: str, line: int, rule: str) -> None:
    assert fault(text, "x.json") == (line, rule)


def test_json_numbers_beyond_all_fields_stay_strings() -> None:
    text = f'{{"a": {"9" * 5000}, "b": 1e999}}'
    assert read(text, "x.json") == ([{"a": "9" * 5000, "b": "1e999"}], ())


def test_half_of_a_surrogate_pair_is_not_text() -> None:
    documents, faults = read('{}\n{"a": "\\ud800"}\n{"a": "\\ud83d\\ude00"}', "x.json")
    rule = "is not text: an escape in it is half of a UTF-16 pair"
    assert faults == (Fault(2, rule),)
    assert documents == [{}, {"a": "\U0001f600"}]


@pytest.mark.parametrize("name", ["x.json", "x.yaml"])
def test_repeated_keys_are_faults_at_any_depth(name: str) -> None:
    text = '{"a": [{"b": 1,\n"b": 2}],\n"c": 3,\n"a": 4}'
    rule = "is given twice in the same mapping"
    _, faults = read(text, name)
    assert faults == (Fault(2, rule, path="b"), Fault(4, rule, path="a"))


@pytest.mark.parametrize("reference", ["*a, *a", "[*a, *a]"])
def test_aliases_that_stand_for_too_much_are_refused(reference: str) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 20):
        inner = reference.replace("*a", f"*a{level - 1}")
        lines.append(f"a{level}: &a{level} [{inner}]")
    _, rule = fault("\n".join(lines))
    assert rule == "its aliases stand for more than 100000 values"


def test_pyyaml_without_libyaml_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    rule = "cannot be read: this PyYAML lacks libyaml (install a build that has it)"
    assert fault("a: b") == (0, rule)


@pytest.mark.parametrize(
    "text",
    [
        "\n{\n'items': [\n{'a': 1},\n\n{'a': 2}]}",
        "items:\n- a: 1\n- a: 2\n",
        "# c\n---\nitems:\n- {a: 1}\n\n-\n  a: 2\n",
    ],
)
def test_documents_and_items_know_their_lines(text: str) -> None:
    text = text.replace("'", '"')
    reading = read_source(Source(name="-", text=text))
    (document,) = reading.documents
    lines = text.split("\n")
    found = [lines[line - 1].lstrip("- ") for line in document.item_lines]
    assert [each.rstrip(",]}").lstrip('{"').replace('"', "") for each in found] == ["a: 1", "a: 2"]
    assert document.value == {"items": [{"a": 1}, {"a": 2}]}


def test_items_that_are_aliases_have_no_lines() -> None:
    reading = read_source(Source(name="-", text="x: &x {a: 1}\nitems: [*x, {b: 2}]\n"))
    value = {"x": {"a": 1}, "items": [{"a": 1}, {"b": 2}]}
    assert reading.documents == (Document(value, 0, 1, ()),)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{\n"a": [\n1,\n{"b": 2,\n"c": 3}]}\n{"d": \n4}\n', "x.json"),
        ("a:\n-\n  1\n- b: 2\n  c: 3\n---\n\nd: 4\n", "x.yaml"),
    ],
)
def test_wanted_places_are_found(text: str, name: str) -> None:
    source = Source(name=name, text=text)
    wanted = {(0, "a", 1, "c"), (1, "d"), (0, "x"), (5, "y"), (0, "a", 0, "deeper")}
    lines = find_lines(source, read_source(source), grow_tree(wanted))
    here = text.split("\n")
    shown = {path: here[line - 1].strip("- {}[],") for path, line in lines.items()}
    keys = {path: text.replace('"', "").split(":")[0] for path, text in shown.items()}
    assert (keys[(0, "a", 1, "c")], keys[(1, "d")]) == ("c", "d")
    assert (0, "x") not in lines
    assert (0, "a", 0) in lines


def test_reading_leaves_the_recursion_limit_alone() -> None:
    limit = sys.getrecursionlimit()
    read("[" * 5000, "x.json")
    assert sys.getrecursionlimit() == limit
