"""What a review says that hosts notice is what the applier's planner says, change by change.

A host in memory converges to its old document, and a plan is made towards the new one.
"""

from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256

import pytest
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from inventories import make_inventory, make_key, make_mesh, make_node
from msgspec.structs import replace
from scenes import Scene, converged

from applier.keys import public_half
from applier.plan import Plan, Risk
from compiler.compile import compile_mesh
from compiler.inventory import Inventory
from review.changes.compare import compare
from review.changes.impact import RANKS
from review.changes.review import Impact
from schemas.resolve import resolve
from schemas.state import Documents, IptablesVariant
from schemas.values import Endpoint, InterfaceName, NodeName, Prefix, PublicKey

NAMES = ("node-a", "node-b", "node-c", "node-d")


def private_of(name: str, *, again: bool = False) -> bytes:
    return sha256(f"{name}'s {'other ' if again else ''}private key".encode()).digest()


def begin() -> Inventory:
    """Return four nodes, each with a key that its host can have."""
    nodes = (
        make_node(
            name,
            f"10.244.{number}.0/24",
            f"fd00:244:0:{number}::/64",
            public_key=public_half(private_of(name)),
            endpoint=Endpoint(f"192.0.2.{number}:9806"),
        )
        for number, name in enumerate(NAMES, 1)
    )
    mesh = make_mesh("10.244.0.0/16", "fd00:244::/48", preshared_key_epoch="2026-11")
    return make_inventory(mesh, *nodes)


def of_mesh(**fields: object) -> Callable[[Inventory], Inventory]:
    return lambda inventory: replace(inventory, mesh=replace(inventory.mesh, **fields))


def of_node(which: str, **fields: object) -> Callable[[Inventory], Inventory]:
    def change(inventory: Inventory) -> Inventory:
        nodes = (replace(n, **fields) if n.name == which else n for n in inventory.nodes)
        return make_inventory(inventory.mesh, *nodes)

    return change


def join(inventory: Inventory) -> Inventory:
    node = make_node("node-e", "10.244.9.0/24", public_key=make_key("node-e"))
    return make_inventory(inventory.mesh, *inventory.nodes, node)


def leave(inventory: Inventory) -> Inventory:
    return make_inventory(inventory.mesh, *(n for n in inventory.nodes if n.name != "node-d"))


def all_listen_elsewhere(inventory: Inventory) -> Inventory:
    nodes = (
        replace(n, listen_port=9807, endpoint=Endpoint(str(n.endpoint).replace(":9806", ":9807")))
        for n in inventory.nodes
    )
    return make_inventory(inventory.mesh, *nodes)


def swap_pods(inventory: Inventory) -> Inventory:
    one, other, *rest = inventory.nodes
    swapped = replace(one, pod_cidrs=other.pod_cidrs), replace(other, pod_cidrs=one.pod_cidrs)
    return make_inventory(inventory.mesh, *swapped, *rest)


CHANGES: dict[str, Callable[[Inventory], Inventory]] = {
    "join": join,
    "leave": leave,
    "rename": of_node("node-b", name=NodeName("node-x")),
    "key": of_node("node-b", public_key=public_half(private_of("node-b", again=True))),
    "move": of_node("node-b", endpoint=Endpoint("198.51.100.7:9806")),
    "lose endpoint": of_node("node-b", endpoint=None),
    "grow": of_node("node-b", pod_cidrs=("10.244.2.0/24", "10.244.77.0/24", "fd00:244:0:2::/64")),
    "shrink": of_node("node-b", pod_cidrs=("10.244.2.0/24",)),
    "swap pods": swap_pods,
    "keepalive": of_node("node-c", persistent_keepalive=25),
    "port": of_node("node-c", listen_port=9807, endpoint=Endpoint("192.0.2.3:9807")),
    "every port": all_listen_elsewhere,
    "MTU": of_node("node-c", underlay_mtu=9000),
    "overlay grows": of_mesh(
        overlay_cidrs=tuple(map(Prefix, ("10.244.0.0/16", "10.250.0.0/16", "fd00:244::/48")))
    ),
    "epoch": of_mesh(preshared_key_epoch="2026-12"),
    "no epoch": of_mesh(preshared_key_epoch=None),
    "device": of_mesh(interface=InterfaceName("tunnel0")),
    "bridge": of_mesh(bridge=InterfaceName("pods0")),
    "masquerade": of_mesh(masquerade=False),
    "exceptions": of_mesh(non_masquerade_cidrs=(Prefix("172.16.0.0/12"),)),
    "legacy": of_mesh(iptables_variant=IptablesVariant.LEGACY),
    "CNI file": of_mesh(cni_file_name="20-pods.conflist"),
    "CNI version": of_mesh(cni_version="0.4.0"),
    "mesh": of_mesh(name="prod"),
}


def plan_on(name: str, old: Documents, new: Documents, was: str) -> Plan:
    """Return the plan of a host that converged to its old document."""
    before, after = (
        resolve(old.mesh, old.hosts[NodeName(was)]),
        resolve(new.mesh, new.hosts[NodeName(name)]),
    )
    scene = Scene(before)
    give_key(scene, before.host.wireguard.public_key)
    converged(scene)
    if after.host.wireguard.public_key != before.host.wireguard.public_key:
        give_key(scene, after.host.wireguard.public_key)
    scene.resolved = after
    return scene.plan()


def give_key(scene: Scene, public: PublicKey) -> None:
    keys = (private_of(name, again=again) for name in NAMES for again in (False, True))
    private = next(key for key in keys if public_half(key) == public)
    scene.vault.put_as(public, private)
    scene.host.files[scene.paths.private_key] = (b64encode(private) + b"\n", 0o600)


def check(change: Callable[[Inventory], Inventory]) -> None:
    before = begin()
    old, new = compile_mesh(before), compile_mesh(change(before))
    review = compare(old, new)
    names = {node.public_key: node.name for node in before.nodes}
    for name, host in new.hosts.items():
        was = name if name in old.hosts else names.get(host.wireguard.public_key)
        if was is None:
            continue  # it joins: there is nothing that it could lose
        plan = plan_on(name, old, new, was)
        said = review.hosts.get(name)
        planned = max((RANKS[Impact(each.risk)] for each in plan.changes), default=None)
        if said is None:
            assert planned is None, (name, plan.changes)
        elif loses_pods(name, was, old, new):
            assert said is Impact.DISRUPTIVE, name
        else:
            assert RANKS[said] == (planned or 0), (name, said, plan.changes)


def loses_pods(name: str, was: str, old: Documents, new: Documents) -> bool:
    """Whether pods lose their gateway, of which the planner knows nothing."""
    addresses = old.hosts[NodeName(was)].bridge.addresses
    return not {*addresses} <= {*new.hosts[NodeName(name)].bridge.addresses}


def test_the_words_are_the_applier_s() -> None:
    assert [str(risk) for risk in Risk] == [str(impact) for impact in Impact]


@pytest.mark.parametrize("change", CHANGES)
def test_one_change_costs_what_the_planner_says(change: str) -> None:
    check(CHANGES[change])


@pytest.mark.law
@settings(max_examples=examples(40))
@given(st.lists(st.sampled_from(sorted(CHANGES)), min_size=2, max_size=4, unique=True))
def test_several_changes_cost_the_worst_of_them(names: list[str]) -> None:
    def change(inventory: Inventory) -> Inventory:
        for name in names:
            inventory = CHANGES[name](inventory)
        return inventory

    check(change)
