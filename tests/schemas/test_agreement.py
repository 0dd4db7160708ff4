"""The JSON Schemas and the structs say the same about the shape of documents."""

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec
import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from inventories import make_inventory, make_mesh, make_node
from msgspec import inspect

from compiler.compile import compile_mesh
from schemas.document import dump
from schemas.resolve import resolve
from schemas.state import HostState, MeshState, ResolvedHost, Value
from schemas.validate import load_schema, violations

DOCUMENTS: dict[str, type[Value]] = {
    "mesh-state": MeshState,
    "host-state": HostState,
    "resolved-host": ResolvedHost,
}

load = cache(load_schema)


class Node:
    """A place in a schema file, references followed; the reference's own description wins."""

    def __init__(self, content: dict[str, Any], file: str) -> None:
        while "$ref" in content:
            target, _, pointer = content["$ref"].partition("#")
            file = target.removesuffix(".schema.json") or file
            found: Any = load(file)
            for step in pointer.split("/")[1:]:
                found = found[step]
            content = found | {key: value for key, value in content.items() if key != "$ref"}
        self.content, self.file = content, file

    def at(self, *steps: str) -> "Node":
        child: Any = self.content
        for step in steps:
            child = child[step]
        return Node(child, self.file)


def facts_of_struct(kind: inspect.Type, place: str = "") -> Iterator[str]:
    match kind:
        case inspect.StructType():
            yield from facts_of_fields(kind, place)
        case inspect.VarTupleType():
            yield f"{place}: array"
            yield from facts_of_struct(kind.item_type, f"{place}[]")
        case inspect.DictType():
            yield f"{place}: object, open"
            # CNI's specification, not ours, says what is inside the file.
            if not isinstance(kind.value_type, inspect.CustomType):
                yield from facts_of_struct(kind.value_type, f"{place}.*")
        case inspect.UnionType():
            for inner in kind.types:
                if not isinstance(inner, inspect.NoneType):
                    yield from facts_of_struct(inner, place)
        case inspect.EnumType():
            yield f"{place}: one of {', '.join(member.value for member in kind.cls)}"
        case inspect.LiteralType():
            yield f"{place}: one of {', '.join(map(str, kind.values))}"
        case _:
            names = {"StrType": "string", "IntType": "integer", "BoolType": "boolean"}
            yield f"{place}: {names[type(kind).__name__]}"


def facts_of_fields(kind: inspect.StructType, place: str) -> Iterator[str]:
    yield f"{place}: object, closed"
    if kind.tag_field:
        yield f"{place}.{kind.tag_field}: required"
        yield f"{place}.{kind.tag_field}: one of {kind.tag}"
    for field in kind.fields:
        yield f"{place}.{field.encode_name}: {'required' if field.required else 'optional'}"
        yield from facts_of_struct(field.type, f"{place}.{field.encode_name}")


def facts_of_schema(node: Node, place: str = "") -> Iterator[str]:
    content = node.content
    if "const" in content or "enum" in content:
        yield f"{place}: one of {', '.join(content.get('enum', [content.get('const')]))}"
    elif content["type"] == "array":
        yield f"{place}: array"
        yield from facts_of_schema(node.at("items"), f"{place}[]")
    elif content["type"] != "object":
        yield f"{place}: {content['type']}"
    elif content.get("additionalProperties") is False:
        yield f"{place}: object, closed"
        for name in content["properties"]:
            yield f"{place}.{name}: {'required' if name in content['required'] else 'optional'}"
            yield from facts_of_schema(node.at("properties", name), f"{place}.{name}")
    else:
        yield f"{place}: object, open"
        if "additionalProperties" in content:
            yield from facts_of_schema(node.at("additionalProperties"), f"{place}.*")


def undescribed(node: dict[str, Any], place: str) -> Iterator[str]:
    """Yield every field, item and definition of one schema file that says nothing about itself."""
    if "description" not in node:
        yield place
    for group in ("properties", "$defs"):
        for name, child in node.get(group, {}).items():
            yield from undescribed(child, f"{place}.{name}")
    for part in ("items", "additionalProperties", "propertyNames"):
        if isinstance(node.get(part), dict):
            yield from undescribed(node[part], f"{place}.{part}")


def defaults_of_struct(kind: inspect.Type, place: str = "") -> Iterator[tuple[str, object]]:
    match kind:
        case inspect.StructType():
            for field in kind.fields:
                path = f"{place}.{field.encode_name}"
                yield from defaults_of_struct(field.type, path)
                if isinstance(field.default, int | str):
                    yield path, field.default
        case inspect.VarTupleType():
            yield from defaults_of_struct(kind.item_type, f"{place}[]")
        case inspect.DictType():
            yield from defaults_of_struct(kind.value_type, f"{place}.*")
        case _:
            pass


def defaults_of_schema(node: Node, place: str = "") -> Iterator[tuple[str, object]]:
    content = node.content
    if "default" in content:
        yield place, content["default"]
    for name in content.get("properties", {}):
        yield from defaults_of_schema(node.at("properties", name), f"{place}.{name}")
    for part, mark in (("items", "[]"), ("additionalProperties", ".*")):
        if content.get(part):
            yield from defaults_of_schema(node.at(part), f"{place}{mark}")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_schema_and_struct_have_the_same_fields_of_the_same_types(name: str) -> None:
    expected = sorted(facts_of_struct(inspect.type_info(DOCUMENTS[name])))
    assert expected == sorted(facts_of_schema(Node(load(name), name)))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_schema_and_struct_have_the_same_defaults(name: str) -> None:
    expected = dict(defaults_of_struct(inspect.type_info(DOCUMENTS[name])))
    assert expected == dict(defaults_of_schema(Node(load(name), name)))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_field_is_described(name: str) -> None:
    assert list(undescribed(load(name), name)) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_schema_says_what_it_is(name: str) -> None:
    schema = load(name)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"https://wormhole.dev/schemas/{name}.schema.json"
    assert schema["title"] == DOCUMENTS[name].__name__


def _examples() -> dict[str, Any]:
    mesh = make_mesh("10.244.0.0/16", "fd00:244::/48", preshared_key_epoch="2026-11")
    nodes = (
        make_node("a", "10.244.0.0/24", endpoint="192.0.2.1:9806", persistent_keepalive=25),
        make_node("b", "10.244.1.0/24", "fd00:244:0:1::/64", endpoint="[2001:db8::2]:9806"),
    )
    documents = compile_mesh(make_inventory(mesh, *nodes))
    one, other = documents.hosts.values()
    values = (documents.mesh, one, resolve(documents.mesh, other))
    pairs = zip(DOCUMENTS, values, strict=True)
    return {name: msgspec.json.decode(dump(value)) for name, value in pairs}


EXAMPLES = _examples()


def _places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    if path[-1:] == ("config",):
        return
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _places(child, (*path, key))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _places(child, (*path, index))


DAMAGES = [True, 1, 1.5, "x", [], {}, ["x"], {"x": {}}, None, "delete", "rename", "add"]


@pytest.mark.law
@settings(max_examples=examples(200))
@given(st.data())
def test_a_damaged_document_gets_the_same_answer_from_both(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(DOCUMENTS)))
    document = copy.deepcopy(EXAMPLES[name])
    path = data.draw(st.sampled_from(list(_places(document))))
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    damage = data.draw(st.sampled_from(DAMAGES))
    match damage, holder:
        case ("delete", _) | (str(), list()):
            del holder[path[-1]]
        case "rename", dict():
            holder[f"{path[-1]}x"] = holder.pop(path[-1])
        case "add", dict():
            holder["extra"] = 1
        case _:
            holder[path[-1]] = damage

    found = violations(document, name)
    try:
        msgspec.convert(document, DOCUMENTS[name])
    except msgspec.ValidationError:
        assert found
    else:
        # What the schema alone refuses: patterns, ranges, null for nothing, a missing kind, and
        # what is in the CNI configuration, which the struct takes as it is.
        forgiven = (
            *(("kind",), ("host", "kind")),
            *(("cni", "config"), ("host", "cni", "config")),
        )
        unforgiven = [
            violation
            for violation in found
            if not any(violation.path[: len(path)] == path for path in forgiven)
        ]
        shape = ("unknown field", "required field")
        assert [v for v in unforgiven if v.rule.startswith(shape)] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_example_that_is_damaged_is_valid(name: str) -> None:
    assert violations(EXAMPLES[name], name) == ()
