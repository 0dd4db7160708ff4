"""``wormhole explain``: how it can be asked, what it refuses, what it says of other inventories."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest
from commandline import Wormhole
from jsonschema import Draft202012Validator

from compiler.origins.marks import How
from compiler.origins.origin import Origin
from schemas.state import Value
from schemas.validate import load_schema
from wormhole.explain.document import Explanation, Told

CLUSTER = Path(__file__).parents[3] / "fixtures/clusters/two-nodes"
SCHEMA = load_schema("explanation")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    shutil.copytree(CLUSTER / "expected", tmp_path / "state")
    shutil.copy(CLUSTER / "cluster.yaml", tmp_path)
    return tmp_path / "state"


@pytest.mark.parametrize(
    "what",
    [
        ("state/hosts/node-a.json:255",),
        ("state/hosts/node-a.json:255:",),
        ("hosts/node-a.json:255",),
        ("./state/../state/hosts/node-a.json:255",),
        ("hosts/node-a.json", "wireguard.mtu"),
        ("hosts/node-a.json:", "wireguard.mtu"),
        ("hosts/node-a.json", "(wireguard.mtu)"),
        ("hosts/node-a.json", "(wireguard.mtu):"),
        ("wireguard.mtu", "--host", "node-a"),
    ],
)
def test_a_place_can_be_named_as_others_print_it(
    what: tuple[str, ...], state: Path, wormhole: Wormhole
) -> None:
    code, text, errors = wormhole("explain", state.name, *what)

    assert (code, errors) == (0, "")
    assert text.startswith("state/hosts/node-a.json:255 wireguard.mtu\n  1440\n")


def test_a_path_of_the_mesh_needs_no_host(state: Path, wormhole: Wormhole) -> None:
    _, text, _ = wormhole("explain", state.name, "peerGroups.mesh.node-a.publicKey")

    assert text.startswith("state/mesh.json:12 peerGroups.mesh.node-a.publicKey\n  49LXKOoYno")


def test_every_place_that_trace_names_is_explained(state: Path, wormhole: Wormhole) -> None:
    pods = ("--from", "node-a/pod", "--to", "node-b/pod")
    _, text, _ = wormhole("trace", state.name, *pods)
    named = [word for word in text.split() if word.startswith("state/")]

    assert len(named) == 14
    for word in named:
        code, told, errors = wormhole("explain", state.name, word, "--inventory", "cluster.yaml")
        assert (code, errors) == (0, "")
        assert told.startswith(f"{word} ")
        assert "differs" not in told
        assert "\nfrom  cluster.yaml:" in told


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (
            ("10.9.9.9",),
            (
                "'10.9.9.9': no allowed IP and no endpoint speaks of it;"
                " the nearest allowed IP is 10.244.0.0/24, of node-a"
            ),
        ),
        (
            ("198.51.100.1", "--host", "node-a"),
            (
                "'198.51.100.1': nothing in these documents speaks of it;"
                " the nearest allowed IP is 10.244.1.0/24, of node-b"
            ),
        ),
        (("fd00::1",), "'fd00::1': no allowed IP and no endpoint speaks of it"),
        (
            ("state/hosts/node-a.json:6",),
            (
                "state/hosts/node-a.json: no value begins on line 6;"
                " 5 is the nearest above, bridge.addresses[0]"
            ),
        ),
        (
            ("hosts/node-a.json", "wireguard.mtuu"),
            (
                "state/hosts/node-a.json: 'wireguard.mtuu': no such place in this document"
                ' (did you mean "wireguard.mtu"?)'
            ),
        ),
        (
            ("hosts/node-c.json:3",),
            (
                "state: 'hosts/node-c.json': no such document in this state"
                ' (did you mean "hosts/node-b.json"?)'
            ),
        ),
        (
            ("wireguard.mtu", "--host", "node-x"),
            "state: 'node-x': no such host in this state (did you mean \"node-b\"?)",
        ),
        (
            ("wireguard.mtu",),
            (
                "state: 'wireguard.mtu': neither FILE:LINE as trace prints it, nor an address,"
                " nor a document of this state; a path alone,"
                " such as wireguard.mtu, needs --host NODE"
            ),
        ),
        (
            ("10.244.0.1", "10.244.0.2", "10.244.0.3"),
            (
                "'10.244.0.1 10.244.0.2 10.244.0.3': one thing at a time:"
                " FILE:LINE, FILE PATH, an address, or a path with --host NODE"
            ),
        ),
    ],
)
def test_what_is_nothing_here_is_an_error_that_says_what_is_near(
    what: tuple[str, ...], message: str, state: Path, wormhole: Wormhole
) -> None:
    assert wormhole("explain", state.name, *what) == (2, "", f"error: {message}\n")


def test_a_folder_that_is_no_state_is_an_error(state: Path, wormhole: Wormhole) -> None:
    (state.parent / "empty").mkdir()
    code, _, errors = wormhole("explain", "empty", "10.244.0.1")

    rule = "neither a state folder (no mesh.json) nor an inventory (no .yaml, .yml, .json)"
    assert (code, errors) == (2, f"error: empty: {rule}\n")


def test_an_inventory_explains_what_it_compiles_to(state: Path, wormhole: Wormhole) -> None:
    what = ("hosts/node-a.json:255",)
    _, of_state, _ = wormhole("explain", state.name, *what, "--inventory", "cluster.yaml")
    code, of_inventory, errors = wormhole("explain", "cluster.yaml", *what)

    assert (code, errors) == (0, "")
    assert of_inventory == of_state.replace("state/hosts", "hosts")
    assert "\nfrom  cluster.yaml:" in of_inventory


def test_an_inventory_with_a_problem_is_an_error(state: Path, wormhole: Wormhole) -> None:
    (state.parent / "cluster.yaml").write_text("")
    code, text, errors = wormhole(
        "explain", state.name, "10.244.0.1", "--inventory", "cluster.yaml"
    )

    assert (code, text) == (2, "")
    assert errors == (
        "error: cluster.yaml: the inventory is empty: there is no Kubernetes object in it\n"
    )


def test_a_host_that_the_inventory_lacks_is_said(state: Path, wormhole: Wormhole) -> None:
    documents = (state.parent / "cluster.yaml").read_text().split("---\n")
    (state.parent / "less.yaml").write_text("---\n".join(documents[:2]))
    _, text, _ = wormhole(
        "explain", state.name, "hosts/node-b.json", "wireguard.mtu", "--inventory", "less.yaml"
    )

    assert " ".join(text.partition("differs: ")[2].split()) == (
        "this inventory compiles to no hosts/node-b.json:"
        " edited by hand, or compiled from another revision"
    )


def test_what_another_revision_had_is_said_beside_what_is(state: Path, wormhole: Wormhole) -> None:
    path = state.parent / "cluster.yaml"
    path.write_text(path.read_text().replace("10.244.1.0/24", "10.244.7.0/24"))
    _, text, _ = wormhole(
        "explain", state.name, "state/mesh.json:16", "--inventory", "cluster.yaml", "--json"
    )
    [place] = json.loads(text)["places"]

    assert place["value"] == "10.244.1.0/24"
    assert place["compiled"] == "10.244.7.0/24"
    assert place["deviation"] == (
        "this inventory compiles to 10.244.7.0/24:"
        " edited by hand, or compiled from another revision"
    )
    assert [(each["line"], each["value"]) for each in place["origins"]] == [(22, "10.244.7.0/24")]


def test_what_others_wrote_cannot_drive_the_terminal(state: Path, wormhole: Wormhole) -> None:
    path = state / "hosts/node-a.json"
    evil = r"\u001b[2J"
    text = path.read_text().replace('"hairpinMode"', f'"{evil}": "{evil}",\n        "hairpinMode"')
    path.write_text(text)
    line = text[: text.index(evil)].count("\n") + 1
    code, told, errors = wormhole("explain", state.name, f"hosts/node-a.json:{line}")

    assert (code, errors) == (0, "")
    assert "\x1b" not in told
    assert told.count(r"\x1b[2J") == 2


def test_colour_dresses_the_words_and_changes_none(state: Path, wormhole: Wormhole) -> None:
    for what in ("state/hosts/node-a.json:132", "10.244.1.10"):
        words = ("explain", state.name, what, "--inventory", "cluster.yaml", "--host", "node-a")
        _, plain, _ = wormhole(*words)
        _, painted, _ = wormhole(*words, "--color", "always")
        dressed = painted
        for style in ("1", "2", "33", "0"):
            dressed = dressed.replace(f"\x1b[{style}m", "")
        assert painted != plain
        assert dressed == plain


def test_of_many_nodes_inside_a_prefix_the_first_are_listed(
    state: Path, wormhole: Wormhole
) -> None:
    path = state / "mesh.json"
    mesh = json.loads(path.read_bytes())
    peers = mesh["peerGroups"]["mesh"]
    for number in range(2, 9):
        peers[f"node-{number}"] = peers["node-b"] | {"allowedIPs": [f"10.244.{number}.0/24"]}
    path.write_text(json.dumps(mesh, indent=2, sort_keys=True) + "\n")
    _, short, _ = wormhole("explain", state.name, "10.244.0.0/16")
    _, whole, _ = wormhole("explain", state.name, "10.244.0.0/16", "-v")

    assert short.count("inside it: allowed IP of") == 5
    assert "and 4 more inside it, which -v lists" in short
    assert whole.count("inside it: allowed IP of") == 9


@pytest.mark.parametrize(("name", "part"), [("place", Told), ("origin", Origin), ("", Explanation)])
def test_schema_and_struct_have_the_same_fields(name: str, part: type[Value]) -> None:
    schema = SCHEMA["$defs"][name] if name else SCHEMA
    fields = msgspec.structs.fields(part)
    expected = {field.encode_name for field in fields} | ({"kind"} if not name else set())
    required = {field.encode_name for field in fields if field.required}

    assert {*schema["properties"]} == expected
    assert {*schema["required"]} - {"kind"} == required
    assert schema["additionalProperties"] is False
    assert all(field.get("description") for field in schema["properties"].values())


def test_the_schema_is_one_and_has_the_words_of_the_program() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == "https://wormhole.dev/schemas/explanation.schema.json"
    assert SCHEMA["$defs"]["origin"]["properties"]["how"]["enum"] == [*How]


@pytest.mark.parametrize(
    "ipam", [None, [1], "x", {"ranges": "abc"}, {"ranges": [[1, None, {"rangeStart": {}}]]}]
)
def test_an_address_is_told_beside_a_cni_configuration_that_is_anything(
    ipam: object, state: Path, wormhole: Wormhole
) -> None:
    path = state / "hosts/node-a.json"
    document = json.loads(path.read_text())
    document["cni"]["config"]["plugins"][0]["ipam"] = ipam
    document["bridge"]["addresses"].append("999.1.1.1/99")
    path.write_text(json.dumps(document))
    code, text, errors = wormhole("explain", state.name, "10.244.0.10", "--host", "node-a")

    assert (code, errors) == (0, "")
    assert "allowed IP of node-a" in text
    assert "address for a pod" not in text


def test_json_holds_nothing_that_a_terminal_obeys(state: Path, wormhole: Wormhole) -> None:
    path = state / "hosts/node-a.json"
    document = json.loads(path.read_text())
    odd = "\x1b\x7f\x9b\u202e\u2028\U000e0001 \xe9"
    document["cni"]["config"]["odd"] = odd
    path.write_text(json.dumps(document))
    code, text, _ = wormhole("explain", state.name, "hosts/node-a.json", "cni.config", "--json")

    assert code == 0
    assert json.loads(text)["places"][0]["value"]["odd"] == odd
    assert [char for char in text if not char.isprintable() and char != "\n"] == []
    assert "\\u001b\\u007f\\u009b\\u202e\\u2028\\udb40\\udc01 \xe9" in text
