"""A real API server takes the manifests, and of our objects what the schemas take, whole."""

import json
import re
import ssl
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from kube.server import ApiServer
from manifests import DEPLOY, Object, build, read

from schemas.validate import load_schema, violations
from wormhole.cluster.api import APPLY, MESH_NODES, MESHES
from wormhole.cluster.errors import ApiError

ROOT: Final = DEPLOY.parent
PATHS: Final = {"Mesh": MESHES, "MeshNode": MESH_NODES}
SCHEMAS: Final = {kind: load_schema(kind.lower()) for kind in PATHS}
UNPROCESSABLE: Final = 422
"""RFC 9110, 15.5.21: what the server answers to what its schema refuses."""
KEY: Final = "49LXKOoYnoNS6WfICrVYjQpnUmAUs3+8xjaSh79dk2Q="


def ask(server: ApiServer, document: Object) -> Object:
    """Return the object as the server would store it; nothing is stored."""
    return server.admin.request("POST", PATHS[document["kind"]], {"dryRun": "All"}, document)


def refusals(server: ApiServer, document: Object) -> set[str]:
    """Return the fields that the server refuses the object for; empty when it takes it."""
    try:
        ask(server, document)
    except ApiError as error:
        if error.status != UNPROCESSABLE:
            raise
        return {cause.field for cause in error.causes}
    return set()


def say_status(server: ApiServer, node: Object) -> None:
    """Apply a MeshNode's status as its agent does."""
    name = node["metadata"]["name"]
    sent = {key: value for key, value in node.items() if key != "spec"}
    query = {"fieldManager": "test-status", "force": "true"}
    server.admin.patch(f"{MESH_NODES}/{name}/status", sent, APPLY, query)


def make_mesh(**spec: object) -> Object:
    return {
        "apiVersion": "wormhole.dev/v1alpha1",
        "kind": "Mesh",
        "metadata": {"name": "mesh"},
        "spec": spec,
    }


def make_node(name: str = "node-a", **spec: object) -> Object:
    return {
        "apiVersion": "wormhole.dev/v1alpha1",
        "kind": "MeshNode",
        "metadata": {"name": name},
        "spec": {"publicKey": KEY, **spec},
    }


def unfold(found: Any) -> Iterator[Object]:  # noqa: ANN401 - an invalid inventory holds anything
    if isinstance(found, dict) and found.get("kind") == "List":
        for item in found.get("items") or ():
            yield from unfold(item)
    elif isinstance(found, dict) and found.get("apiVersion") == "wormhole.dev/v1alpha1":
        yield found


def read_ours(folder: Path) -> list[Object]:
    """Return our objects of an inventory; of one that cannot be read, none."""
    found: list[Object] = []
    for path in sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".json")):
        try:
            documents = read(path)
        except (yaml.YAMLError, UnicodeDecodeError):
            continue
        found += [each for document in documents for each in unfold(document)]
    return found


CLUSTERS: Final = sorted((ROOT / "fixtures/clusters").iterdir())
# What is wrong with those named yaml is how they are written; some have no end.
INVALID: Final = [
    path
    for path in sorted((ROOT / "fixtures/invalid").iterdir())
    if not path.name.startswith("yaml-")
]


@pytest.mark.parametrize("folder", CLUSTERS, ids=lambda path: path.name)
def test_every_inventory_is_taken_as_it_is(installed: ApiServer, folder: Path) -> None:
    objects = read_ours(folder)
    assert objects
    for found in objects:
        assert ask(installed, found)["spec"] == found["spec"]


def verdict(document: Object) -> bool:
    """Tell whether our schema takes an object.

    Two things a server does without a word: it prunes a field that nobody knows (and then a
    misspelt one is missing), and of a new object it drops the status.
    """
    return all(
        (each.rule.startswith("unknown field") and each.meant != "publicKey")
        or each.path[0] == "status"
        for each in violations(document, document["kind"].lower())
    )


def test_the_server_refuses_what_the_schemas_refuse_and_nothing_else(
    installed: ApiServer,
) -> None:
    ours, servers = {}, {}
    for folder in INVALID:
        for index, found in enumerate(read_ours(folder)):
            if found.get("kind") in PATHS and isinstance(found.get("metadata"), dict):
                case = f"{folder.name} {index}"
                sent = found | {"metadata": {"name": "case"}}
                ours[case] = verdict(sent)
                servers[case] = not refusals(installed, sent)
    assert servers == ours
    assert sum(not taken for taken in ours.values()) >= 15


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        (
            make_node(podCIDRs=[f"10.{n // 256}.{n % 256}.0/24" for n in range(5000)]),
            {"spec.podCIDRs"},
        ),
        (make_node(podCIDRs=[]), {"spec.podCIDRs"}),
        (make_node(publicKey="not a key"), {"spec.publicKey"}),
        (make_node(publicKey=KEY[:-1]), {"spec.publicKey"}),
        (make_node(endpoint=9806), {"spec.endpoint"}),
        (make_node(endpoint="1" * 65), {"spec.endpoint"}),
        (make_node(listenPort=0), {"spec.listenPort"}),
        (make_node(listenPort="9806"), {"spec.listenPort"}),
        (make_node(persistentKeepalive=65536), {"spec.persistentKeepalive"}),
        (make_mesh(overlayCIDRs=["10.244.0.0/16"] * 5000), {"spec.overlayCIDRs"}),
        # The server does not name the field of a `not`.
        (make_mesh(interface="lo"), {"<nil>"}),
        (make_mesh(bridge="a name"), {"spec.bridge"}),
        (make_mesh(iptablesVariant="both"), {"spec.iptablesVariant"}),
        (make_mesh(cni={"fileName": "../passwd"}), {"spec.cni.fileName"}),
        (make_mesh(presharedKeyEpoch=".."), {"spec.presharedKeyEpoch"}),
        ({**make_mesh(), "spec": None}, {"spec"}),
    ],
    ids=lambda value: min(value) if isinstance(value, set) else None,
)
def test_what_is_wrong_is_refused_by_name(
    installed: ApiServer, document: Object, fields: set[str]
) -> None:
    assert not verdict(document)
    assert refusals(installed, document) == fields


def test_a_field_that_nobody_knows_is_not_stored(installed: ApiServer) -> None:
    assert "privateKey" not in ask(installed, make_node(privateKey="x"))["spec"]


def test_a_mesh_may_say_nothing_and_nothing_is_put_in_its_mouth(installed: ApiServer) -> None:
    assert ask(installed, make_mesh())["spec"] == {}


SAMPLES: Final = {
    "publicKey": KEY,
    "desiredDigest": "0" * 64,
    "date-time": "2026-11-22T10:00:00Z",
    "fileName": "10-pods.conflist",
}


def sample(schema: Object, name: str = "x") -> Any:  # noqa: ANN401 - whatever the schema says
    """Return a value with every field that a schema knows."""
    if "properties" in schema:
        return {key: sample(each, key) for key, each in schema["properties"].items()}
    if "items" in schema:
        return [sample(schema["items"], name)]
    if "enum" in schema:
        return schema["enum"][0]
    if schema["type"] == "integer":
        return schema.get("minimum", 0) or 1
    if schema["type"] == "boolean":
        return True
    return SAMPLES.get(schema.get("format", name), "a")


def test_no_field_of_a_mesh_is_lost(installed: ApiServer) -> None:
    spec = sample(SCHEMAS["Mesh"]["properties"]["spec"])
    assert verdict(make_mesh(**spec))
    assert ask(installed, make_mesh(**spec))["spec"] == spec


def test_no_field_of_a_node_is_lost_and_its_status_has_its_own_door(installed: ApiServer) -> None:
    fields = SCHEMAS["MeshNode"]["properties"]
    spec, status = sample(fields["spec"]), sample(fields["status"])
    whole = make_node("whole", **spec) | {"status": status}
    assert verdict(whole)
    path = f"{MESH_NODES}/whole"
    try:
        [stored] = installed.apply(whole)
        assert (stored["spec"], stored.get("status")) == (spec, None)
        say_status(installed, whole)
        found = installed.admin.get(path)
        assert (found["spec"], found["status"]) == (spec, status)
    finally:
        installed.delete(path)


def read_table(server: ApiServer, path: str) -> tuple[list[str], list[str], list[list[Any]]]:
    """Return what kubectl prints: columns, those that only ``-o wide`` shows, and rows."""
    said = json.loads(server.kubeconfig().read_text())
    token = said["users"][0]["user"]["token"]
    request = urllib.request.Request(
        f"{said['clusters'][0]['cluster']['server']}{path}",
        headers={
            "Accept": "application/json;as=Table;v=v1;g=meta.k8s.io",
            "Authorization": f"Bearer {token}",
        },
    )
    context = ssl.create_default_context(cafile=server.certificate)
    context.check_hostname = False
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:
        table = json.load(answer)
    columns = table["columnDefinitions"]
    return (
        [column["name"] for column in columns if column["priority"] == 0],
        [column["name"] for column in columns if column["priority"] == 1],
        [row["cells"] for row in table["rows"]],
    )


def test_a_list_of_nodes_shows_what_an_operator_wants(installed: ApiServer) -> None:
    path = f"{MESH_NODES}/node-t"
    status = {
        "conditions": [
            {"type": "Degraded", "status": "True"},
            {"type": "Ready", "status": "False", "reason": "ApplyFailed"},
        ],
        "desiredDigest": "0" * 64,
        "peers": 41,
        "connectedPeers": 40,
        "presharedKeyEpoch": "2026-11",
        "lastChange": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": "0.1.0",
    }
    node = make_node("node-t", endpoint="192.0.2.1", podCIDRs=["10.1.0.0/24", "fd00::/64"])
    try:
        installed.apply(node)
        say_status(installed, node | {"status": status})
        shown, wide, [cells] = read_table(installed, path)
    finally:
        installed.delete(path)
    assert shown == [
        *("Name", "Ready", "Endpoint", "Pod CIDRs", "Peers", "Connected", "Changed", "Age")
    ]
    assert wide == ["Reason", "Degraded", "Conflict", "Epoch", "Key", "Digest", "Version"]
    assert cells[:6] == [*("node-t", "False", "192.0.2.1", '["10.1.0.0/24","fd00::/64"]', 41, 40)]
    assert all(re.fullmatch(r"\d+s", age) for age in cells[6:8])
    assert cells[8:] == ["ApplyFailed", "True", None, "2026-11", KEY, "0" * 64, "0.1.0"]


def test_a_node_without_a_status_is_shown_with_gaps(installed: ApiServer) -> None:
    path = f"{MESH_NODES}/node-u"
    try:
        installed.apply(make_node("node-u"))
        _, _, [cells] = read_table(installed, path)
    finally:
        installed.delete(path)
    assert cells[:7] == ["node-u", *[None] * 6]


def test_the_example_mesh_is_taken_and_shown(installed: ApiServer) -> None:
    [mesh] = read(DEPLOY / "mesh.example.yaml")
    path = f"{MESHES}/{mesh['metadata']['name']}"
    try:
        installed.apply(mesh)
        shown, wide, [cells] = read_table(installed, path)
    finally:
        installed.delete(path)
    assert (shown, wide) == (["Name", "Overlay", "Epoch", "Age"], ["Interface", "Port", "MTU"])
    assert cells[:3] == ["cluster", '["10.244.0.0/16"]', None]


def test_our_kinds_have_short_names_and_a_common_one(installed: ApiServer) -> None:
    found = installed.admin.get("/apis/wormhole.dev/v1alpha1")["resources"]
    assert {
        each["name"]: (
            each["kind"],
            each["namespaced"],
            each.get("shortNames"),
            each.get("categories"),
        )
        for each in found
    } == {
        "meshes": ("Mesh", False, None, ["wormhole"]),
        "meshnodes": ("MeshNode", False, ["mn"], ["wormhole"]),
        "meshnodes/status": ("MeshNode", False, None, None),
    }


def stored(server: ApiServer, document: Object) -> Object:
    return server.admin.get(server.path(document))


@pytest.mark.parametrize("folder", ["base", "gitops"])
def test_applying_again_changes_nothing(installed: ApiServer, folder: str) -> None:
    """Every field is one that the server knows and keeps, or it would be sent again and again."""
    objects = build(folder)
    installed.apply(*objects)
    before = [stored(installed, found)["metadata"]["resourceVersion"] for found in objects]
    installed.apply(*objects)
    after = [stored(installed, found)["metadata"]["resourceVersion"] for found in objects]
    assert after == before


def lost(sent: Any, kept: Any, path: str = "") -> list[str]:  # noqa: ANN401 - whatever YAML holds
    """Return each field that was sent and not kept."""
    if isinstance(sent, dict) and isinstance(kept, dict):
        return [
            each
            for key, value in sent.items()
            for each in (
                lost(value, kept[key], f"{path}.{key}") if key in kept else [f"{path}.{key}"]
            )
        ]
    if isinstance(sent, list) and isinstance(kept, list) and len(sent) == len(kept):
        pairs = zip(sent, kept, strict=True)
        return [
            each for index, (a, b) in enumerate(pairs) for each in lost(a, b, f"{path}[{index}]")
        ]
    return [] if sent == kept else [path]


@pytest.mark.parametrize("folder", ["base", "gitops"])
@pytest.mark.parametrize("components", [(), ("load-module", "userspace-wireguard")])
def test_no_field_of_a_manifest_is_unknown_to_the_server(
    installed: ApiServer, folder: str, components: tuple[str, ...]
) -> None:
    missing = []
    for found in build(folder, *components):
        installed.apply(found)
        version = stored(installed, found)["metadata"]["resourceVersion"]
        sent = found | {"metadata": found["metadata"] | {"resourceVersion": version}}
        kept = installed.admin.request("PUT", installed.path(found), {"dryRun": "All"}, sent)
        missing += [f"{found['kind']}{field}" for field in lost(sent, kept)]
    assert missing == []


def test_entries_of_the_secret_outlive_another_install(installed: ApiServer) -> None:
    [secret] = [found for found in build("base") if found["kind"] == "Secret"]
    path = installed.path(secret)
    entry = {"1": "bWFzdGVy"}
    try:
        held = installed.admin.get(path)
        installed.admin.replace(path, held | {"data": entry})
        installed.apply(*build("base"))
        assert installed.admin.get(path)["data"] == entry
    finally:
        installed.admin.replace(path, installed.admin.get(path) | {"data": {}})
