"""``wormhole trace``: what it refuses, and what it says before it tells a story."""

import json
import shutil
from pathlib import Path

import pytest
from commandline import Wormhole

TWO_NODES = Path(__file__).parents[2] / "fixtures/clusters/two-nodes/expected"
PODS = ("--from", "node-a/pod", "--to", "node-b/pod")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    shutil.copytree(TWO_NODES, tmp_path / "state")
    return Path("state")


def edit(state: Path, node: str, field: str, value: object) -> None:
    path = state / f"hosts/{node}.json"
    document = json.loads(path.read_bytes())
    document["wireguard"][field] = value
    path.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


def test_an_unknown_node_is_an_error(state: Path, wormhole: Wormhole) -> None:
    code, text, errors = wormhole("trace", str(state), "--from", "node-c", "--to", "node-a/pod")

    assert (code, text) == (2, "")
    assert errors.startswith("error: --from 'node-c': no such host (did you mean \"node-")


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--port", "0", "a port is a number from 1 to 65535, not '0'"),
        ("--port", "http", "a port is a number from 1 to 65535, not 'http'"),
        ("--size", "47", "a packet has 48 to 65535 bytes, not '47'"),
        ("--size", "65536", "a packet has 48 to 65535 bytes, not '65536'"),
    ],
)
def test_a_number_out_of_range_is_an_error(
    option: str, value: str, message: str, state: Path, wormhole: Wormhole
) -> None:
    code, text, errors = wormhole("trace", str(state), *PODS, option, value)

    assert (code, text) == (2, "")
    assert message in errors


def test_icmp_has_no_port(state: Path, wormhole: Wormhole) -> None:
    given = ("trace", str(state), *PODS, "--port", "80", "--protocol", "icmp")

    assert wormhole(*given) == (2, "", "error: --port '80': icmp has no ports\n")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((), "icmp, 100 bytes"),
        (("--port", "53"), "tcp from port 49152 to 53, 100 bytes"),
        (("--port", "53", "--protocol", "udp"), "udp from port 49152 to 53, 100 bytes"),
        (("--protocol", "tcp"), "tcp from port 49152 to 80, 100 bytes"),
        (("--size", "1000", "--df"), "icmp, 1000 bytes, do not fragment"),
    ],
)
def test_the_packet_is_told_as_it_was_asked_for(
    given: tuple[str, ...], told: str, state: Path, wormhole: Wormhole
) -> None:
    _, text, _ = wormhole("trace", str(state), *PODS, *given)

    first = text.splitlines()[0]
    assert first == f"10.244.0.10 to 10.244.1.10, {told}, sent by a pod of node-a"


def test_documents_that_contradict_each_other_are_traced_after_a_warning(
    state: Path, wormhole: Wormhole
) -> None:
    edit(state, "node-b", "listenPort", 1)
    edit(state, "node-b", "mtu", 1380)
    code, text, errors = wormhole("trace", str(state), *PODS)

    assert code == 1
    assert errors.startswith("warning: hosts/node-b.json: ")
    assert "Lost: what node-a encrypted" in text


def test_colour_dresses_the_story_and_changes_no_word_of_it(
    state: Path, wormhole: Wormhole
) -> None:
    _, plain, _ = wormhole("trace", str(state), *PODS)
    _, painted, _ = wormhole("trace", str(state), *PODS, "--color", "always")
    dressed = painted
    for style in ("1", "2", "31", "32", "0"):
        dressed = dressed.replace(f"\x1b[{style}m", "")

    assert painted != plain
    assert dressed == plain


def test_a_folder_that_is_no_state_is_an_error(tmp_path: Path, wormhole: Wormhole) -> None:
    (tmp_path / "empty").mkdir()
    code, _, errors = wormhole("trace", "empty", *PODS)

    rule = "neither a state folder (no mesh.json) nor an inventory (no .yaml, .yml, .json)"
    assert (code, errors) == (2, f"error: empty: {rule}\n")


def test_an_inventory_is_traced_as_the_state_that_it_compiles_to(
    state: Path, tmp_path: Path, wormhole: Wormhole
) -> None:
    shutil.copy(TWO_NODES.parent / "cluster.yaml", tmp_path)
    _, of_state, _ = wormhole("trace", str(state), *PODS)
    code, of_inventory, errors = wormhole("trace", "cluster.yaml", *PODS)

    assert (code, errors) == (0, "")
    assert " hosts/node-a.json:234\n" in of_inventory
    assert of_inventory == of_state.replace(" state/", " ")
