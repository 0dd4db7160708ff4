import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator

from schemas.validate import Violation, load_schema, violations

SCHEMAS = ["mesh", "meshnode", "node"]
KEY = "zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o="


def mesh_node(**spec: object) -> dict[str, object]:
    return {
        "apiVersion": "wormhole.dev/v1alpha1",
        "kind": "MeshNode",
        "metadata": {"name": "node-a"},
        "spec": {"publicKey": KEY} | spec,
    }


def violation(*path: str | int, value: str = "", rule: str, meant: str = "") -> Violation:
    return Violation(path=path, value=value, rule=rule, meant=meant)


def test_valid_document_has_no_violations() -> None:
    assert violations(mesh_node(endpoint="192.0.2.1", podCIDRs=["10.0.0.0/24"]), "meshnode") == ()


def test_metadata_may_carry_whatever_kubernetes_puts_there() -> None:
    metadata = {"name": "a", "labels": {"x": "y"}, "ownerReferences": [{}], "managedFields": []}
    document = mesh_node() | {"metadata": metadata, "status": {"conditions": []}}
    assert violations(document, "meshnode") == ()


def test_valid_documents_do_not_import_jsonschema() -> None:
    script = (
        "import sys; from schemas.validate import violations;"
        f"assert violations({mesh_node()!r}, 'meshnode') == ();"
        "assert 'jsonschema' not in sys.modules"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (
            {"listenPort": "9806"},
            violation(
                "spec",
                "listenPort",
                value="9806",
                rule="must be a whole number, not a string (drop the quotes)",
            ),
        ),
        (
            {"listenPort": True},
            violation(
                "spec", "listenPort", value="true", rule="must be a whole number, not a boolean"
            ),
        ),
        (
            {"endpoint": 7},
            violation(
                "spec",
                "endpoint",
                value="7",
                rule="must be a string, not a number (put it in quotes)",
            ),
        ),
        (
            {"endpoint": None},
            violation("spec", "endpoint", value="null", rule="must be a string, not null"),
        ),
        (
            {"podCIDRs": ["a", {}]},
            violation("spec", "podCIDRs", 1, value="{}", rule="must be a string, not a mapping"),
        ),
        ({"podCIDRs": []}, violation("spec", "podCIDRs", value="[]", rule="must not be empty")),
        (
            {"underlayMTU": 65536},
            violation("spec", "underlayMTU", value="65536", rule="must be between 576 and 65535"),
        ),
        (
            {"endPoint": "192.0.2.1"},
            violation(
                "spec",
                "endPoint",
                rule='unknown field (did you mean "endpoint"?)',
                meant="endpoint",
            ),
        ),
        (
            {"publicKey": KEY + "\n"},
            violation(
                "spec",
                "publicKey",
                rule="must be a WireGuard public key: 32 bytes in base64, which is 43 characters "
                "and one '=' (wormhole keygen prints it); what stands here has 45 characters",
            ),
        ),
    ],
)
def test_violation_says_where_what_and_why(spec: dict[str, object], expected: Violation) -> None:
    assert violations(mesh_node(**spec), "meshnode") == (expected,)


def test_missing_field_is_named_even_when_its_parent_is_missing() -> None:
    document = {"apiVersion": "wormhole.dev/v1alpha1", "kind": "MeshNode"}
    rule = "required field is missing"
    expected = (violation("metadata", rule=rule), violation("spec", rule=rule))
    assert violations(document, "meshnode") == expected


def test_unknown_field_shows_no_value_because_it_may_be_a_secret() -> None:
    (found,) = violations(mesh_node(sharedSecret="hunter2"), "meshnode")
    assert (found.value, "hunter2" in repr(found)) == ("", False)


def test_what_is_no_public_key_is_not_shown_because_it_may_be_a_private_one() -> None:
    (found,) = violations(mesh_node(publicKey="PrivateKey = hunter2"), "meshnode")
    assert (found.value, "hunter2" in repr(found)) == ("", False)


def test_long_values_are_cut() -> None:
    (found,) = violations(mesh_node(underlayMTU="x" * 1000), "meshnode")
    assert found.value == "x" * 59 + "…"


def test_endless_nesting_is_a_violation_not_a_crash() -> None:
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    rule = "is nested too deep to say what is wrong with it"
    assert violations(mesh_node(endpoint=nested), "meshnode") == (violation(rule=rule),)


def test_violations_are_in_order_of_their_paths() -> None:
    found = violations(mesh_node(podCIDRs=[1, "a", 2], listenPort=0, apiVersion="x"), "meshnode")
    paths = [each.path for each in found]
    assert paths == [
        ("spec", "apiVersion"),
        ("spec", "listenPort"),
        ("spec", "podCIDRs", 0),
        ("spec", "podCIDRs", 2),
    ]


def undescribed(schema: object, path: str = "") -> list[str]:
    """Return the fields of a schema that no one has described."""
    if not isinstance(schema, dict):
        return []
    found = [] if "description" in schema else [path]
    for name, field in schema.get("properties", {}).items():
        found += undescribed(field, f"{path}.{name}")
    return found + (undescribed(schema["items"], f"{path}[]") if "items" in schema else [])


STATUS = {
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Verified",
            "message": "the host is as desired",
            "lastTransitionTime": "2026-11-01T12:30:00Z",
            "observedGeneration": 1,
        }
    ],
    "desiredDigest": "0" * 64,
    "peers": 5,
    "connectedPeers": 4,
    "presharedKeyEpoch": "2026-11",
    "heldPresharedKeyEpochs": ["2026-11", "2026-12"],
    "lastChange": "2026-11-01T12:30:00Z",
    "leftOut": [{"name": "MeshNode/node-b", "reason": "is the endpoint of MeshNode/node-c too"}],
    "version": "0.1.0",
}


def test_status_as_agents_write_it_is_valid_and_every_field_of_it_is_known() -> None:
    assert violations(mesh_node() | {"status": STATUS}, "meshnode") == ()
    assert set(load_schema("meshnode")["properties"]["status"]["properties"]) == set(STATUS)


def test_a_mesh_without_overlay_is_as_the_schema_says_because_an_agent_may_find_it() -> None:
    mesh = {"apiVersion": "wormhole.dev/v1alpha1", "kind": "Mesh", "metadata": {"name": "a"}}
    assert violations(mesh | {"spec": {}}, "mesh") == ()


def patterns(schema: object) -> list[str]:
    if isinstance(schema, list):
        return [each for item in schema for each in patterns(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
    return own + [each for item in schema.values() for each in patterns(item)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_pattern_looks_around_because_the_api_server_cannot(name: str) -> None:
    found = patterns(load_schema(name))
    assert [pattern for pattern in found if "(?" in pattern] == []
    assert found


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_of_the_inventory_is_described(name: str) -> None:
    assert undescribed(load_schema(name)) == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(load_schema(name))
    schema = load_schema(name)
    assert (schema["$id"], schema["$schema"]) == (
        f"https://wormhole.dev/schemas/{name}.schema.json",
        "https://json-schema.org/draft/2020-12/schema",
    )
