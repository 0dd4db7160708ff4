"""What the clerk does at the API: publish once, and hold what the Secret holds."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
from agentturns import make_blind_turn, make_turn
from scenes import build_inventory, resolve_host

from applier.keys import create_key
from applier.linux.files import Files
from applier.paths import Paths
from wormhole.agent.publishing.errands import HoldMasters, Publish
from wormhole.agent.publishing.publisher import Publisher
from wormhole.cluster.api import Object
from wormhole.cluster.errors import ApiError
from wormhole.psk.epochs import encode_master

NODE = {
    "metadata": {"name": "node-a", "uid": "u-1"},
    "spec": {"podCIDRs": ["10.244.1.0/24"]},
    "status": {"addresses": [{"type": "InternalIP", "address": "192.0.2.1"}]},
}
MESH = {"metadata": {"name": "m"}, "spec": {"presharedKeyEpoch": "e1"}}


class Seen:
    """A snapshot, and the function that returns it."""

    def __init__(self, *, synced: bool = True, **objects: Object) -> None:
        self.objects: Mapping[str, Object] = {
            name.replace("_", "-"): each for name, each in objects.items()
        }
        self.synced = synced

    def __call__(self) -> "Seen":
        return self


class Server:
    """Answers every apply with the object that was applied; keeps one Secret."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.applied: Object = {}
        self.secret: Object = {"metadata": {"name": "wormhole-psk", "resourceVersion": "1"}}

    def patch(self, path: str, body: Object, kind: str, query: Mapping[str, str] = {}) -> Object:
        del kind, query
        self.requests.append(f"PATCH {path}")
        self.applied = body
        return body

    def get(self, path: str, query: Mapping[str, str] = {}) -> Object:
        del query
        self.requests.append(f"GET {path}")
        return self.secret

    def replace(self, path: str, body: Object) -> Object:
        self.requests.append(f"PUT {path}")
        self.secret = body
        return body

    def create(self, path: str, body: Object) -> Object:
        raise ApiError(f"POST {path}", 405, "MethodNotAllowed", str(body))

    def watch(self, path: str, query: Mapping[str, str], *, silence: float) -> Any:  # noqa: ANN401 - never called
        raise ApiError(f"WATCH {path}", 405, "MethodNotAllowed", f"{query} {silence}")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    here = Paths(data=tmp_path / "data", cni=tmp_path / "cni", run=tmp_path / "run")
    create_key(Files(), here)
    return here


def publishing(server: Server, paths: Paths, nodes: Seen, meshnodes: Seen) -> Publish:
    publisher = Publisher(server, "node-a")
    return Publish(
        publisher, node="node-a", files=Files(), paths=paths, nodes=nodes, meshnodes=meshnodes
    )


def test_nothing_is_published_before_both_lists_are_known(paths: Paths) -> None:
    server = Server()
    for nodes, meshnodes in ((False, True), (True, False)):
        errand = publishing(server, paths, Seen(synced=nodes, node_a=NODE), Seen(synced=meshnodes))
        errand.run(100.0)
    assert server.requests == []


def test_a_node_is_published_once_while_its_echo_is_on_the_way(paths: Paths) -> None:
    server = Server()
    errand = publishing(server, paths, Seen(node_a=NODE), Seen())
    for tenth in range(40):
        errand.run(100.0 + tenth / 10)
    assert server.requests == ["PATCH /apis/wormhole.dev/v1alpha1/meshnodes/node-a"]
    assert errand.due(104.0) == 105.0


def test_a_node_whose_echo_never_comes_is_published_again(paths: Paths) -> None:
    server = Server()
    errand = publishing(server, paths, Seen(node_a=NODE), Seen())
    errand.run(100.0)
    errand.run(105.0)
    assert len(server.requests) == 2


def test_once_the_echo_has_come_there_is_nothing_to_wait_for(paths: Paths) -> None:
    server, meshnodes = Server(), Seen()
    errand = publishing(server, paths, Seen(node_a=NODE), meshnodes)
    errand.run(100.0)
    meshnodes.objects = {"node-a": server.applied}
    for now in (100.5, 106.0, 111.0):
        errand.run(now)
    assert len(server.requests) == 1
    assert errand.due(111.0) is None


def test_a_node_that_changes_is_published_soon(paths: Paths) -> None:
    server, nodes = Server(), Seen(node_a=NODE)
    errand = publishing(server, paths, nodes, Seen())
    errand.run(100.0)
    nodes.objects = {"node-a": NODE | {"spec": {"podCIDRs": ["10.244.9.0/24"]}}}
    errand.run(100.1)
    assert errand.due(100.1) == 101.0
    errand.run(101.0)
    assert len(server.requests) == 2


def test_two_hosts_of_one_name_do_not_outdo_each_other_as_fast_as_they_can(paths: Paths) -> None:
    server, meshnodes = Server(), Seen()
    errand = publishing(server, paths, Seen(node_a=NODE), meshnodes)
    for tenth in range(600):
        errand.run(100.0 + tenth / 10)
        twin = server.applied | {"spec": server.applied["spec"] | {"publicKey": f"twin {tenth}"}}
        meshnodes.objects = {"node-a": twin}
    assert len(server.requests) == 6  # after 0, 1, 3, 7, 15 and 31 seconds
    assert errand.due(159.9) == 163.0


def test_a_node_that_has_been_quiet_is_published_at_once_again(paths: Paths) -> None:
    server, nodes = Server(), Seen(node_a=NODE)
    errand = publishing(server, paths, nodes, Seen())
    for now in (100.0, 200.0, 300.0):
        nodes.objects = {"node-a": NODE | {"spec": {"podCIDRs": [f"10.{now:.0f}.0.0/24"]}}}
        errand.run(now)
    assert len(server.requests) == 3


def holding(server: Server, paths: Paths, secret: Seen, changes: list[str]) -> HoldMasters:
    return HoldMasters(
        server,
        namespace="wormhole-system",
        files=Files(),
        paths=paths,
        meshes=Seen(m=MESH),
        secret=secret,
        on_change=lambda: changes.append("changed"),
    )


def test_the_epoch_of_the_mesh_gets_an_entry_and_a_file(paths: Paths) -> None:
    server, changes = Server(), list[str]()
    errand = holding(server, paths, Seen(), changes)
    errand.run(100.0)
    assert errand.held == ("e1",)
    assert list(server.secret["data"]) == ["e1"]
    held = b64decode(server.secret["data"]["e1"])  # the API wraps what is base64 already
    assert paths.master("e1").read_bytes().strip() == held.strip()
    assert changes == ["changed"]


def test_what_the_secret_holds_already_costs_no_request(paths: Paths) -> None:
    server, changes = Server(), list[str]()
    entry = encode_master(bytes(range(32)))
    secret = Seen(wormhole_psk={"metadata": {"name": "wormhole-psk"}, "data": {"e1": entry}})
    errand = holding(server, paths, secret, changes)
    errand.run(100.0)
    errand.run(101.0)
    assert server.requests == []
    assert errand.held == ("e1",)
    assert changes == ["changed"]


def test_no_entry_is_made_before_the_secret_has_been_read(paths: Paths) -> None:
    server = Server()
    errand = holding(server, paths, Seen(synced=False), [])
    errand.run(100.0)
    assert server.requests == []
    assert errand.held == ()


def test_while_its_echo_is_on_the_way_an_entry_is_asked_for_once(paths: Paths) -> None:
    """Any change in the cluster makes the clerk look; without the watch no echo ever comes."""
    server, secret = Server(), Seen(wormhole_psk={})
    errand = holding(server, paths, secret, [])
    for second in range(60):
        errand.run(100.0 + second)
    assert len(server.requests) == 2
    errand.run(160.0)
    assert [request.split()[0] for request in server.requests] == ["GET", "PUT", "GET"]


def test_an_entry_that_was_lost_again_is_asked_for_at_once(paths: Paths) -> None:
    server, secret = Server(), Seen(wormhole_psk={})
    errand = holding(server, paths, secret, [])
    errand.run(100.0)
    secret.objects = {"wormhole-psk": server.secret}
    errand.run(100.1)
    secret.objects = {"wormhole-psk": {}}
    errand.run(100.2)
    assert len(server.requests) == 3


def test_a_master_that_memory_names_stays_until_another_one_is_in_use(paths: Paths) -> None:
    """A host that reboots while the API is away comes back from its memory, and needs its keys."""
    old, new = resolve_host(build_inventory(epoch="e0")), resolve_host(build_inventory(epoch="e1"))
    paths.applied.write_bytes(msgspec.json.encode(old))
    entries = {"e0": encode_master(bytes(range(32))), "e1": encode_master(bytes(range(1, 33)))}
    secret = Seen(wormhole_psk={"metadata": {"name": "wormhole-psk"}, "data": entries})
    holding(Server(), paths, secret, []).run(100.0)
    del entries["e0"]

    restarted = holding(Server(), paths, secret, [])
    held = []
    for turn in (None, make_blind_turn(resolved=new), make_turn(resolved=new)):
        if turn is not None:
            restarted.take(turn)
        restarted.run(101.0)
        held.append(restarted.held)
    assert held == [("e0", "e1"), ("e0", "e1"), ("e1",)]


def fill(*epochs: str, note: str = "") -> Seen:
    """Return a Secret with these entries as the watch keeps it."""
    metadata = {"name": "wormhole-psk", "annotations": {"wormhole.dev/rotating-to": note}}
    data = {
        epoch: encode_master(bytes(range(number, number + 32)))
        for number, epoch in enumerate(epochs)
    }
    return Seen(wormhole_psk={"metadata": metadata, "data": data})


FLOOD = tuple(f"flood-{number}" for number in range(70))


def test_a_host_holds_the_epochs_that_matter_and_no_flood_of_others(paths: Paths) -> None:
    paths.applied.write_bytes(msgspec.json.encode(resolve_host(build_inventory(epoch="e0"))))
    errand = holding(Server(), paths, fill("e1", "e0", "e2", *FLOOD, note="e2"), [])
    errand.run(100.0)
    assert errand.held == ("e0", "e1", "e2")
    assert sorted(path.name for path in paths.masters.iterdir()) == ["e0", "e1", "e2"]


def test_what_was_held_without_need_goes(paths: Paths) -> None:
    for number, epoch in enumerate(FLOOD):
        content = b64encode(bytes(range(number, number + 32)))
        Files().create_file(paths.master(epoch), content, 0o600)
    errand = holding(Server(), paths, fill("e1", *FLOOD), [])
    errand.run(100.0)
    assert errand.held == ("e1",)
    assert [path.name for path in paths.masters.iterdir()] == ["e1"]


def test_of_too_many_files_those_that_matter_are_named_first(paths: Paths) -> None:
    """An empty Secret may be an accident, so nothing is removed then."""
    for number, epoch in enumerate((*FLOOD, "zebra")):
        content = b64encode(bytes(range(number, number + 32)))
        Files().create_file(paths.master(epoch), content, 0o600)
    mesh = {"metadata": {"name": "m"}, "spec": {"presharedKeyEpoch": "zebra"}}
    errand = HoldMasters(
        Server(),
        namespace="wormhole-system",
        files=Files(),
        paths=paths,
        meshes=Seen(m=mesh),
        secret=Seen(synced=False),
        on_change=lambda: None,
    )
    errand.run(100.0)
    assert errand.held == ("zebra", *sorted(FLOOD))


def test_a_note_about_no_entry_is_about_nothing(paths: Paths) -> None:
    errand = holding(Server(), paths, fill("e1", note="e9"), [])
    errand.run(100.0)
    assert errand.held == ("e1",)


def test_a_memory_that_cannot_be_read_is_none(paths: Paths) -> None:
    paths.applied.mkdir(parents=True)
    errand = holding(Server(), paths, fill("e1"), [])
    errand.run(100.0)
    assert errand.held == ("e1",)
