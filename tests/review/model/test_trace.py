"""A story as a document: the struct and the JSON Schema say the same."""

import msgspec
import pytest
from jsonschema import Draft202012Validator

from review.model.packet import Packet, Protocol
from review.model.story import Fate, Stage
from review.model.trace import Source, Trace, TracedStep, Way
from schemas.state import Value
from schemas.validate import load_schema

SCHEMA = load_schema("story")
PARTS = {"way": Way, "packet": Packet, "step": TracedStep, "source": Source}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == "https://wormhole.dev/schemas/story.schema.json"


@pytest.mark.parametrize(("name", "part"), [*PARTS.items(), ("", Trace)])
def test_schema_and_struct_have_the_same_fields(name: str, part: type[Value]) -> None:
    schema = SCHEMA["$defs"][name] if name else SCHEMA
    fields = msgspec.structs.fields(part)
    expected = {field.encode_name for field in fields} | ({"kind"} if not name else set())
    required = {field.encode_name for field in fields if field.required}

    assert {*schema["properties"]} == expected
    assert {*schema["required"]} - {"kind"} == required
    assert schema["additionalProperties"] is False
    assert all(field.get("description") for field in schema["properties"].values())


@pytest.mark.parametrize(
    ("part", "field", "kind"),
    [("way", "fate", Fate), ("step", "stage", Stage), ("packet", "protocol", Protocol)],
)
def test_schema_and_struct_have_the_same_words(
    part: str, field: str, kind: type[Fate | Stage | Protocol]
) -> None:
    assert SCHEMA["$defs"][part]["properties"][field]["enum"] == [*kind]
