"""A plan that removes too much: what would leave stays, and everything else is done."""

from collections.abc import Collection

import pytest
from damage import DAMAGE, add_address, add_stranger, change_peer, flush_chain
from inventories import make_key
from msgspec.structs import replace
from scenes import (
    BRIDGE,
    OVERLAYS,
    WG,
    Scene,
    build_inventory,
    converged,
    dump_all,
    resolve_host,
    tell,
)

from applier.converge import converge
from applier.errors import HostError, Unobservable
from applier.memory import load_applied
from applier.outcome import Outcome, Result
from applier.plan import Action, Plan
from applier.situation import look
from applier.spare import find_leaving
from compiler.inventory import Inventory
from schemas.state import IptablesVariant, ResolvedPeer
from schemas.values import InterfaceAddress, Prefix, PublicKey

OTHERS = tuple(f"node-{number}" for number in range(30))
OURS = "WORMHOLE-"
REFUSED = "the plan removes 20 of 64 objects, which is more than a fifth"


STAYING = ("node-a", *OTHERS[:10])


def shrunk(after: Inventory | None = None) -> Scene:
    """Return a host of a mesh that 20 of 30 other nodes have left since."""
    scene = converged(Scene(resolve_host(build_inventory(("node-a", *OTHERS)))))
    scene.resolved = resolve_host(after or build_inventory(STAYING))
    return scene


def keep(
    scene: Scene,
    *,
    leave: Collection[PublicKey] = (),
    allow: bool = False,
    plans: list[Plan] | None = None,
) -> Outcome:
    """Converge as the agent does."""
    return converge(
        scene.host,
        scene.resolved,
        vault=scene.vault,
        paths=scene.paths,
        allow_mass_delete=allow,
        spare_on_refusal=True,
        expected_to_leave=leave,
        announce=lambda plan: plans.append(plan) if plans is not None else None,
    )


def live(scene: Scene) -> set[PublicKey]:
    return {peer.public_key for peer in scene.host.devices.get(WG).peers}


def with_peer(scene: Scene, name: str, **fields: object) -> None:
    """Change one peer of what is desired."""
    changed = {
        key: replace(peer, **fields) for key, peer in scene.resolved.peers.items() if key == name
    }
    scene.resolved = replace(scene.resolved, peers=scene.resolved.peers | changed)


def test_chains_that_move_to_the_other_variant_are_no_loss_and_move() -> None:
    legacy = IptablesVariant.LEGACY
    scene = shrunk(build_inventory(STAYING, iptables_variant=legacy))
    outcome = keep(scene)
    assert (outcome.refused, outcome.reverted) == (REFUSED, None)
    assert len(live(scene)) == len(OTHERS)
    there = {variant for (variant, _), tables in scene.host.tables.items() if OURS in tables.save()}
    assert there == {legacy}


def test_without_anything_else_to_do_nothing_is_written() -> None:
    scene = shrunk()
    plans: list[Plan] = []
    outcome = keep(scene, plans=plans)

    assert (outcome.result, outcome.refused, outcome.spared) == (Result.REFUSED, REFUSED, True)
    assert {change.action for change in outcome.left.changes} == {Action.DELETE}
    assert len(outcome.left.changes) == len(outcome.plan.changes) == 20
    assert [plan.changes for plan in plans] == [()]
    assert len(live(scene)) == 30
    assert scene.writes() == []


def test_by_hand_everything_is_refused_as_ever() -> None:
    scene = shrunk()
    flush_chain(scene)
    outcome = scene.converge(allow_mass_delete=False)
    assert (outcome.result, outcome.spared, outcome.done) == (Result.REFUSED, False, ())
    assert scene.writes() == []


@pytest.mark.parametrize("damage", ["remove guards", "flush chain", "empty tables", "sysctl"])
def test_what_guards_the_overlay_is_mended_meanwhile(damage: str) -> None:
    scene = shrunk()
    untouched = dump_all(scene.host)
    DAMAGE[damage](scene)
    outcome = keep(scene)

    assert outcome.result is Result.REFUSED
    assert outcome.done
    assert {change.cause for change in outcome.done} == {"drift"}
    assert {change.action for change in outcome.left.changes} == {Action.DELETE}
    assert without_memory(scene) == without_memory_of(untouched)


def without_memory(scene: Scene) -> str:
    return without_memory_of(dump_all(scene.host))


def without_memory_of(dump: str) -> str:
    return "\n".join(line for line in dump.splitlines() if "applied.json" not in line)


def test_a_wanted_peer_that_was_removed_comes_back() -> None:
    scene = shrunk()
    device = scene.host.devices.get(WG)
    wanted = scene.resolved.peers[next(iter(scene.resolved.peers))].public_key
    peers = tuple(peer for peer in device.peers if peer.public_key != wanted)
    scene.host.devices.devices[WG] = replace(device, peers=peers)
    keep(scene)
    assert wanted in live(scene)
    assert len(live(scene)) == 30


def test_newcomers_are_let_in_and_settings_change() -> None:
    scene = shrunk(build_inventory(STAYING, persistent_keepalive=25))
    newcomer = resolve_host(build_inventory(("node-a", *OTHERS, "node-new"))).peers
    scene.resolved = replace(
        scene.resolved,
        peers=scene.resolved.peers | {name: newcomer[name] for name in newcomer if "new" in name},
    )
    outcome = keep(scene)

    assert outcome.result is Result.REFUSED
    assert {(change.kind, str(change.action)) for change in outcome.done} == {
        ("peer", "create"),
        ("peer", "update"),
    }
    assert len(live(scene)) == 31


def test_a_newcomer_of_that_time_is_no_stranger_when_it_leaves_again() -> None:
    scene = shrunk()
    shrunken = scene.resolved
    many = resolve_host(
        build_inventory(("node-a", *OTHERS, *(f"new-{number}" for number in range(15))))
    ).peers
    joined = {name: peer for name, peer in many.items() if name.startswith("new-")}
    scene.resolved = replace(shrunken, peers=shrunken.peers | joined)
    assert keep(scene).result is Result.REFUSED
    assert len(live(scene)) == 45
    scene.resolved = shrunken
    assert keep(scene).refused.startswith("the plan removes 35 of ")
    assert len(live(scene)) == 45


def test_the_host_stays_so_when_its_agent_has_only_its_memory() -> None:
    scene = shrunk()
    keep(scene)
    memory = load_applied(scene.host, scene.paths)
    assert memory is not None
    scene.resolved = memory
    scene.writes()
    assert keep(scene).result is Result.CONVERGED
    assert scene.writes() == []
    assert len(live(scene)) == 30


def test_peers_that_are_known_to_leave_do() -> None:
    scene = shrunk()
    keys = [peer.public_key for name, peer in known(scene).items() if name in OTHERS[22:]]
    outcome = keep(scene, leave=keys)
    assert outcome.refused == "the plan removes 12 of 56 objects, which is more than a fifth"
    assert len(live(scene)) == 22


def known(scene: Scene) -> dict[str, ResolvedPeer]:
    """Return the peers that the host remembers."""
    applied = load_applied(scene.host, scene.paths)
    assert applied is not None
    return {str(name): peer for name, peer in applied.peers.items()}


def test_the_old_key_of_a_node_that_stays_goes() -> None:
    scene = shrunk()
    before = known(scene)["node-1"].public_key
    with_peer(scene, "node-1", public_key=make_key("new"))
    assert keep(scene).result is Result.REFUSED
    assert before not in live(scene)
    assert make_key("new") in live(scene)


def test_with_permission_all_goes_that_had_been_kept() -> None:
    scene = shrunk()
    keep(scene)
    assert keep(scene, allow=True).result is Result.CONVERGED
    fresh = converged(Scene(scene.resolved))
    assert dump_all(scene.host) == dump_all(fresh.host)


@pytest.mark.parametrize(
    "renamed",
    [build_inventory(STAYING, interface="tunnel0"), build_inventory(STAYING, bridge="pods0")],
    ids=["device", "bridge"],
)
def test_what_cannot_be_there_beside_its_successor_stops_everything(renamed: Inventory) -> None:
    scene = shrunk(renamed)
    flush_chain(scene)
    earlier = dump_all(scene.host)
    outcome = keep(scene)

    assert (outcome.result, outcome.spared, outcome.done) == (Result.REFUSED, False, ())
    assert dump_all(scene.host) == earlier


def test_who_gets_the_prefix_of_one_who_would_leave_waits_with_all_others() -> None:
    """Else documents of another mesh would take all traffic away, one update at a time."""
    scene = shrunk()
    with_peer(scene, "node-1", allowed_ips=known_prefixes(scene, "node-20"))
    outcome = keep(scene)
    assert (outcome.result, outcome.spared, outcome.done) == (Result.REFUSED, False, ())


def known_prefixes(scene: Scene, name: str) -> tuple[Prefix, ...]:
    return known(scene)[name].allowed_ips


def test_a_prefix_that_somebody_moved_to_one_who_would_leave_is_given_back() -> None:
    scene = shrunk()
    keep(scene)
    theirs, stolen = known_prefixes(scene, "node-20"), known_prefixes(scene, "node-1")
    change_peer(scene, "node-1", allowed_ips=())
    device = scene.host.devices.get(WG)
    peers = tuple(
        replace(peer, allowed_ips=(*theirs, *stolen)) if peer.allowed_ips == theirs else peer
        for peer in device.peers
    )
    scene.host.devices.devices[WG] = replace(device, peers=peers)
    keep(scene)
    owners = {
        prefix: peer.public_key
        for peer in scene.host.devices.get(WG).peers
        for prefix in peer.allowed_ips
    }
    wanted = {name: peer.public_key for name, peer in known(scene).items()}
    assert {owners[prefix] for prefix in stolen} == {wanted["node-1"]}
    assert {owners[prefix] for prefix in theirs} == {wanted["node-20"]}


class TestStrangers:
    def test_any_number_that_nobody_wanted_goes_unasked(self) -> None:
        scene = converged()
        for number in range(1, 100):
            address = InterfaceAddress(f"10.99.{number}.1/24")
            scene.host.network.add_address(BRIDGE, address)
        outcome = scene.converge(allow_mass_delete=False)
        assert (outcome.result, len(outcome.done)) == (Result.CONVERGED, 99)

    def test_they_make_no_room_for_others_to_leave(self) -> None:
        scene = shrunk()
        for number in range(1, 200):
            scene.host.network.add_address(BRIDGE, InterfaceAddress(f"10.99.{number}.1/24"))
        add_address(scene)
        outcome = keep(scene)
        assert outcome.refused == REFUSED
        assert len(outcome.done) == 200

    def test_a_strange_peer_goes_meanwhile(self) -> None:
        scene = shrunk()
        add_stranger(scene, "10.244.2.0/24")
        keep(scene)
        assert make_key("stranger") not in live(scene)
        assert len(live(scene)) == 30

    def test_without_memory_everything_counts(self) -> None:
        scene = shrunk()
        del scene.host.files[scene.paths.applied]
        outcome = keep(scene)
        assert outcome.refused == REFUSED
        assert len(live(scene)) == 30
        assert scene.paths.applied not in scene.host.files

    def test_chains_in_the_other_variant_count_where_none_is_wanted_in_this_one(self) -> None:
        scene = converged()
        mesh = build_inventory(overlays=OVERLAYS[:1], iptables_variant=IptablesVariant.LEGACY)
        scene.resolved = resolve_host(mesh)
        situation = look(scene.host, scene.resolved, scene.vault, scene.paths)
        leaving = [key for kind, key, _ in find_leaving(situation) if kind.name == "firewall"]
        assert {key.split(" ")[0] for key in leaving} == {"ip6tables-nft"}
        assert "ip6tables-nft mangle WORMHOLE-GUARD" in leaving


class TestFailures:
    def test_what_could_not_be_mended_is_put_back_and_told(self) -> None:
        scene = shrunk()
        flush_chain(scene)
        damaged = dump_all(scene.host)
        scene.host.faults.fail("iptables_restore", 1, HostError("restore", "it", "no", 5))
        outcome = keep(scene)

        assert (outcome.result, outcome.reverted) == (Result.REFUSED, True)
        assert [failure.reason for failure in outcome.failures] == ["restore it: no (code 5)"]
        assert len(outcome.left.changes) == 21
        assert dump_all(scene.host) == damaged

    def test_a_memory_that_cannot_be_written_is_only_told(self) -> None:
        scene = shrunk(build_inventory(STAYING, persistent_keepalive=25))
        scene.host.faults.calls.clear()
        scene.host.faults.fail("write_file", 1, HostError("write file", "x", "disk full", 28))
        outcome = keep(scene)
        assert outcome.trouble == ("after the refusal: write file x: disk full (code 28)",)
        assert outcome.reverted is None

    def test_what_cannot_be_looked_at_again_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        scene = shrunk()
        flush_chain(scene)

        def refuse(*_: object) -> None:
            raise Unobservable("list", "links", "interrupted")

        monkeypatch.setattr("applier.converge.look_again", refuse)
        outcome = keep(scene)
        assert outcome.trouble == ("after the refusal: list links: interrupted",)
        assert "create" not in " ".join(tell(outcome.done))
        assert outcome.left == outcome.plan
