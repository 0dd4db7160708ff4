"""What the page holds of the documents is all of them, exactly."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from effort import examples
from hypothesis import given, settings
from inventories import inventories
from msgspec.structs import replace
from sizes import make_documents

from compiler.compile import compile_mesh
from compiler.inventory import Inventory
from review.report.pack import pack
from schemas.document import dump
from schemas.state import Documents


def unpack(packed: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - JSON is anything
    """Put a document together, as the page's script does."""
    number, *own = packed["hosts"][name]
    shape = packed["shapes"][number]

    def fill(part: Any) -> Any:  # noqa: ANN401 - as above
        if isinstance(part, dict):
            return {key: fill(inner) for key, inner in part.items()}
        if isinstance(part, list):
            return [fill(inner) for inner in part]
        return shape["shared"][-part - 1] if part < 0 else own[part]

    return fill(shape["tree"])


def assert_exact(documents: Documents) -> None:
    packed = msgspec.json.decode(msgspec.json.encode(pack(documents)))
    for name, host in documents.hosts.items():
        spelt = msgspec.json.format(msgspec.json.encode(unpack(packed, name)), indent=2) + b"\n"
        assert spelt == dump(host)


@pytest.mark.law
@settings(max_examples=examples(60))
@given(inventories())
def test_any_documents_come_back(inventory: Inventory) -> None:
    assert_exact(compile_mesh(inventory))


def test_equal_to_python_is_not_equal_in_json() -> None:
    documents = make_documents(2)
    values: tuple[dict[str, object], ...] = (
        {"a": 1, "b": True, "c": 1},
        {"a": True, "b": 1.0, "c": 1},
    )
    hosts = {
        name: replace(host, cni=replace(host.cni, config=config))
        for (name, host), config in zip(documents.hosts.items(), values, strict=True)
    }
    assert_exact(replace(documents, hosts=hosts))


def test_what_hosts_share_stands_once() -> None:
    packed = pack(make_documents(200))
    (shape,) = packed["shapes"]
    assert len(msgspec.json.encode(packed)) < 200 * 500
    assert "the overlay is never sent in clear" in shape["shared"]
    assert len({len(row) for row in packed["hosts"].values()}) == 1


def test_hosts_of_other_shapes_have_their_own() -> None:
    documents = make_documents(3)
    first = documents.hosts[next(iter(documents.hosts))]
    hosts = {**documents.hosts, first.name: replace(first, routes=first.routes[:1])}
    assert len(pack(replace(documents, hosts=hosts))["shapes"]) == 2
    assert_exact(replace(documents, hosts=hosts))


def test_the_script_is_where_the_package_has_it() -> None:
    folder = Path(__file__).parents[3] / "review" / "report" / "templates"
    assert sorted(path.name for path in folder.iterdir()) == [
        *("report.css", "report.html.j2", "report.js")
    ]
