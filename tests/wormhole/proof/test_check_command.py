"""``wormhole check``: what is proven of sound states, of what-ifs, and on the way between two."""

import json
from pathlib import Path

import pytest
from commandline import Wormhole
from faults import FAULTS, seed

CLUSTERS = Path(__file__).parents[3] / "fixtures" / "clusters"
INVENTORY = FAULTS / "inventory.yaml"


@pytest.mark.parametrize("name", sorted(path.name for path in CLUSTERS.iterdir()))
def test_every_cluster_is_proven(name: str, wormhole: Wormhole) -> None:
    code, out, err = wormhole("check", str(CLUSTERS / name / "expected"))
    assert (code, err, out.splitlines()[-1][:8]) == (0, "", "proven: ")


def test_an_inventory_is_proven_as_the_state_that_it_compiles_to(
    wormhole: Wormhole, tmp_path: Path
) -> None:
    seed({"edits": {}}, tmp_path / "state")
    assert wormhole("check", "state") == wormhole("check", str(INVENTORY))


def test_a_node_that_is_gone_takes_only_its_own_pairs(wormhole: Wormhole) -> None:
    code, out, _ = wormhole("check", str(INVENTORY), "--without", "node-b")
    reach, *_, last = out.splitlines()
    assert code == 0
    assert reach == (
        "reach     2 pairs reach each other through the tunnel (4 are gone with their hosts)"
    )
    assert last.startswith("proven: mesh demo, without node-b: 2 hosts in 2 classes, ")


def test_programs_get_the_claims_in_the_summary(wormhole: Wormhole) -> None:
    code, out, _ = wormhole("check", str(INVENTORY), "--format", "json")
    assert code == 0
    assert json.loads(out)["summary"].endswith(
        " packets walked; 6 pairs reach each other through the tunnel; nothing leaves in clear in"
        " 35 situations; nobody speaks in another's name"
    )


def test_a_node_behind_nat_without_keepalive_is_not_reached_first(wormhole: Wormhole) -> None:
    code, out, err = wormhole("check", str(INVENTORY), "--nat", "node-c")
    begins = "not proven: mesh demo, with node-c behind NAT: 1 fault; 4 of 6 pairs lose something; "
    assert (1, begins) == (code, out[: len(begins)])
    assert "node-c has no endpoint: it must speak first (no keepalive)" in err


def test_a_keepalive_reaches_a_node_behind_nat(wormhole: Wormhole, tmp_path: Path) -> None:
    edit = {"op": "add", "path": "/wireguard/persistentKeepalive", "value": 25}
    seed({"edits": {"hosts/node-c.json": [edit]}}, tmp_path / "state")
    assert wormhole("check", "state", "--nat", "node-c")[0] == 0
    assert wormhole("check", "state", "--nat", "node-c", "--nat", "node-a")[0] == 1


def test_a_narrow_path_tells_which_sizes_pass(wormhole: Wormhole) -> None:
    code, _, err = wormhole("check", str(INVENTORY), "--mtu", "node-a-node-b=1380")
    assert (code, "\n  packets of up to 1312 bytes pass; " in err) == (1, True)


def test_a_path_that_is_wide_enough_loses_nothing(wormhole: Wormhole) -> None:
    assert wormhole("check", str(INVENTORY), "--mtu", "node-a-node-b=1500")[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--without", "node-x"), "node-x'"),
        (("--nat", "node-x"), "node-x'"),
        (("--mtu", "node-a=1400"), "must be A-B=BYTES with two hosts of this mesh\n"),
        (("--mtu", "node-a-node-b=12"), "the size must be from 576 to 65535"),
    ],
)
def test_a_what_if_about_nobody_is_refused(
    options: tuple[str, ...], message: str, wormhole: Wormhole
) -> None:
    code, _, err = wormhole("check", str(INVENTORY), *options)
    assert (code, message in err) == (2, True)


def change(tmp_path: Path, *edits: tuple[str, str]) -> str:
    """Write the inventory with texts replaced; return its name."""
    text = INVENTORY.read_text()
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
    path.write_text(text)
    return str(path)


GROWN = ('"fd00:244::/48"]', '"fd00:244::/48", 10.250.0.0/16]')
MOVED = ("10.244.2.0/24,", "10.244.2.0/24, 10.250.2.0/24,")
RENAMED = ("spec:\n  overlay", "spec:\n  interface: tunnel0\n  bridge: pods0\n  overlay")


def test_an_overlay_may_grow_before_its_pods_move(wormhole: Wormhole, tmp_path: Path) -> None:
    grown, moved = change(tmp_path, GROWN), change(tmp_path, GROWN, MOVED)
    assert wormhole("check", grown, "--since", str(INVENTORY))[0] == 0
    assert wormhole("check", moved, "--since", grown)[0] == 0


def test_pods_that_come_with_their_overlay_would_be_sent_to_in_clear(
    wormhole: Wormhole, tmp_path: Path
) -> None:
    moved = change(tmp_path, GROWN, MOVED)
    code, _, err = wormhole("check", moved, "--since", str(INVENTORY))
    first = err.splitlines()[0]
    assert (
        code,
        first.endswith("grow the overlay first, then move pods"),
    ) == (1, True)
    assert "leave node-a in clear when it has not begun to change" in err


def test_devices_may_be_renamed_without_a_leak(wormhole: Wormhole, tmp_path: Path) -> None:
    code, out, _ = wormhole("check", change(tmp_path, RENAMED), "--since", str(INVENTORY))
    assert (code, " steps of a rollout" in out) == (0, True)


def test_findings_are_json_with_a_line(wormhole: Wormhole, tmp_path: Path) -> None:
    edit = {"op": "remove", "path": "/routes/0"}
    seed({"edits": {"hosts/node-b.json": [edit]}}, tmp_path / "state")
    code, out, _ = wormhole("check", "state", "--format", "json")
    found = json.loads(out)["findings"]
    assert (code, len(found), found[0]["file"]) == (1, 1, "state/hosts/node-b.json")
    assert found[0]["line"] > 0


@pytest.mark.parametrize("form", ["sarif", "github"])
def test_findings_are_written_for_services(form: str, wormhole: Wormhole, tmp_path: Path) -> None:
    edit = {"op": "remove", "path": "/routes/0"}
    seed({"edits": {"hosts/node-b.json": [edit]}}, tmp_path / "state")
    code, out, _ = wormhole("check", "state", "--format", form)
    assert (code, "hosts/node-b.json" in out) == (1, True)


def test_of_no_host_nothing_is_proven(wormhole: Wormhole, tmp_path: Path) -> None:
    (tmp_path / "state" / "hosts").mkdir(parents=True)
    mesh = '{"apiVersion": "wormhole.dev/v1alpha1", "kind": "MeshState", "name": "demo",'
    (tmp_path / "state" / "mesh.json").write_text(f'{mesh} "peerGroups": {{}}}}\n')
    code, out, err = wormhole("check", "state")
    told = "error: state/mesh.json:1: peerGroups: there is no host, so there is nothing to prove\n"
    assert (1, told) == (code, err)
    assert out.startswith("not proven: mesh demo: 1 fault; ")


def test_what_cannot_be_followed_is_a_finding(wormhole: Wormhole, tmp_path: Path) -> None:
    edit = {"op": "add", "path": "/cni/config/plugins/0/vlan", "value": 7}
    edits = {f"hosts/node-{letter}.json": [edit] for letter in "bc"}
    seed({"edits": edits}, tmp_path / "state")
    code, out, err = wormhole("check", "state")
    told = "what this does to pods is not known here (1 more host like it)"
    assert err == f"error: state/hosts/node-b.json:53: cni.config.plugins[0].vlan '7': {told}\n"
    assert (code, out.startswith("not proven: mesh demo: 1 fault; ")) == (1, True)
