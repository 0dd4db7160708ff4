"""What holds for every host, every failure and every moment of being killed."""

from collections.abc import Iterator
from functools import cache
from ipaddress import ip_network
from pathlib import Path

import pytest
from damage import DAMAGE, reboot
from effort import examples
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from inventories import inventories
from msgspec.structs import replace
from scenes import (
    PUBLIC,
    Scene,
    build_inventory,
    converged,
    dump_all,
    dump_foreign,
    resolve_host,
)

from applier.destroy import plan_destroy
from applier.errors import HostError, Unobservable
from applier.fake import Killed
from applier.fake.path import Fate, fate_of
from applier.outcome import Result
from compiler.inventory import Inventory
from schemas.state import ResolvedHost

pytestmark = pytest.mark.law

WRITES = (
    "create_bridge",
    "set_link",
    "delete_link",
    "add_address",
    "delete_address",
    "add_route",
    "replace_route",
    "delete_route",
    "write_sysctl",
    "iptables_restore",
    "write_file",
    "replace_link",
    "remove_file",
    "wireguard.create",
    "wireguard.configure",
    "wireguard.delete",
)


@cache
def states() -> dict[str, ResolvedHost | None]:
    """Return desired states that differ in every kind; None is a host without Wormhole."""
    return {
        "nothing": None,
        "four": resolve_host(build_inventory()),
        "three, another epoch": resolve_host(
            build_inventory(("node-a", "node-b", "node-c"), epoch="2026-12", without_endpoint="")
        ),
        "renamed": resolve_host(build_inventory(interface="tunnel0")),
        "IPv4 only, other names": resolve_host(
            build_inventory(
                overlays=("10.245.0.0/16",),
                epoch=None,
                interface="tunnel0",
                bridge="pods0",
                cni_file_name="20-pods.conflist",
                listen_port=9806,
                persistent_keepalive=25,
            )
        ),
    }


TRANSITIONS = [
    ("nothing", "four"),
    ("nothing", "IPv4 only, other names"),
    ("four", "nothing"),
    ("four", "three, another epoch"),
    ("three, another epoch", "four"),
    ("four", "renamed"),
    ("four", "IPv4 only, other names"),
    ("IPv4 only, other names", "four"),
    ("IPv4 only, other names", "nothing"),
]
"""Journeys on which every kind makes, changes and removes something."""


def build(before: ResolvedHost | None, *, userspace: bool = False) -> Scene:
    """Return a host that converged to a state, or never had one."""
    if before is None:
        return Scene(userspace=userspace)
    return converged(Scene(before, userspace=userspace))


def go(scene: Scene, after: ResolvedHost | None) -> Result:
    """Converge to a state, or destroy; return how it ended."""
    if after is None:
        return scene.destroy().result
    scene.resolved = after
    return scene.converge().result


@pytest.mark.parametrize("userspace", [False, True])
@pytest.mark.parametrize(("before", "after"), TRANSITIONS)
def test_any_state_leads_to_any_other_and_stays(
    before: str, after: str, *, userspace: bool
) -> None:
    start, end = states()[before], states()[after]
    scene = build(start, userspace=userspace)
    foreign = dump_foreign(scene.host)

    assert go(scene, end) is Result.CONVERGED
    assert dump_all(scene.host) == dump_all(build(end, userspace=userspace).host)
    assert dump_foreign(scene.host) == foreign
    scene.writes()
    assert go(scene, end) is Result.CONVERGED
    assert scene.writes() == []


def ways_to_fail(before: str, after: str) -> Iterator[tuple[str, int, int]]:
    """Name every call of every door on the way, and for long ones a failure half-way."""
    scene = build(states()[before])
    scene.host.faults.calls.clear()
    go(scene, states()[after])
    for door in WRITES:
        for nth in range(1, scene.host.faults.calls[door] + 1):
            yield door, nth, 0
            if door in {"iptables_restore", "wireguard.configure"}:
                yield door, nth, 1


@pytest.mark.parametrize(("before", "after"), TRANSITIONS)
def test_every_single_failed_write_is_told_and_reverted_and_the_next_run_converges(
    before: str, after: str
) -> None:
    start, end = states()[before], states()[after]
    wanted = dump_all(build(end).host)
    for door, nth, steps in ways_to_fail(before, after):
        scene = build(start)
        earlier = dump_all(scene.host)
        error = HostError(door, "it", "ordered by a test", 5)
        scene.host.faults.fail(door, nth, error, after=steps)
        result = attempt(scene, end)
        where = (door, nth, steps)
        expected = {Result.CONVERGED, Result.REVERTED}
        forgetting = end is None and door == "remove_file"  # the network is clean, files are left
        assert result in (expected | {Result.FILES_LEFT} if forgetting else expected), where
        if result is Result.REVERTED:
            assert visible(dump_all(scene.host)) == visible(earlier), where
        scene.host.faults.calm()
        assert go(scene, end) is Result.CONVERGED, where
        assert dump_all(scene.host) == wanted, where


def attempt(scene: Scene, end: ResolvedHost | None) -> Result:
    """Return how it ended; an error before the first change leaves all as reverting does."""
    try:
        return go(scene, end)
    except HostError:
        return Result.REVERTED


def visible(dump: str) -> str:
    """Leave out the memory of an attempt, which is told apart from the network."""
    return "\n".join(
        line
        for line in dump.splitlines()
        if "attempted.json" not in line and "sysctl.json" not in line
    )


def look(scene: Scene, end: ResolvedHost | None) -> None:
    """Observe the host as the first part of going somewhere does."""
    if end is None:
        plan_destroy(scene.host, paths=scene.paths)
    else:
        scene.resolved = end
        scene.plan()


@pytest.mark.parametrize(("before", "after"), TRANSITIONS)
def test_a_host_that_cannot_be_observed_whole_is_left_alone(before: str, after: str) -> None:
    start, end = states()[before], states()[after]
    scene = build(start)
    scene.host.faults.calls.clear()
    look(scene, end)
    for door, calls in dict(scene.host.faults.calls).items():
        for nth in range(1, calls + 1):
            scene = build(start)
            earlier = dump_all(scene.host)
            scene.host.faults.fail(door, nth, Unobservable(door, "it", "ordered by a test"))
            try:
                result = go(scene, end)
            except Unobservable:
                assert dump_all(scene.host) == earlier, (door, nth)
                assert scene.writes() == []
            else:
                # A variant of iptables that this host does not use may be unreadable.
                assert (door, result) == ("iptables_save", Result.CONVERGED)


@pytest.mark.parametrize("userspace", [False, True])
@pytest.mark.parametrize(("before", "after"), TRANSITIONS)
def test_killed_after_any_step_the_next_run_converges(
    before: str, after: str, *, userspace: bool
) -> None:
    start, end = states()[before], states()[after]
    wanted = dump_all(build(end, userspace=userspace).host)
    step = 0
    killed = True
    while killed and step < 200:
        step += 1
        scene = build(start, userspace=userspace)
        scene.host.faults.kill_after(step)
        killed = False
        try:
            go(scene, end)
        except Killed:
            killed = True
        scene.host.faults.calm()
        assert go(scene, end) is Result.CONVERGED, step
        assert visible(dump_all(scene.host)) == visible(wanted), step
    assert not killed


def samples(resolved: ResolvedHost) -> dict[str, list[str]]:
    """Return addresses of the overlay, by overlay prefix: of each peer, and of nobody."""
    overlays = [r.destination for r in resolved.host.routes if r.type == "unreachable"]
    chosen: dict[str, list[str]] = {}
    for overlay in overlays:
        network = ip_network(overlay)
        peers = [
            str(ip_network(prefix)[7])
            for peer in resolved.peers.values()
            for prefix in peer.allowed_ips
            if ip_network(prefix).version == network.version
        ]
        chosen[overlay] = [*peers, str(network[-9])]
    return chosen


class Watch:
    """Checks after every step that nothing of the overlay is in clear once it was not."""

    def __init__(
        self, scene: Scene, before: ResolvedHost | None, after: ResolvedHost | None
    ) -> None:
        self.orderly = True
        """What leaves is in clear no sooner than its guard is deleted."""
        self.scene = scene
        self.known = {
            overlay: addresses
            for state in (before, after)
            if state is not None
            for overlay, addresses in samples(state).items()
        }
        self.leaving = set() if after is not None else set(self.known)
        if after is not None:
            self.leaving = set(self.known) - set(samples(after))
        self.safe: set[str] = set()
        self.checked = 0
        self.check()
        scene.host.faults.watch = self.check

    def check(self) -> None:
        links = self.scene.host.network.links
        bridges = [name for name, link in links.items() if link.group == 9806]
        for overlay, addresses in self.known.items():
            fates = {fate_of(self.scene.host, address, bridges=bridges) for address in addresses}
            self.checked += 1
            if Fate.CLEAR not in fates:
                self.safe.add(overlay)
            elif overlay in self.safe:
                last = self.scene.host.faults.writes[-1]
                assert overlay in self.leaving, (overlay, last)
                if self.orderly:
                    assert last == f"delete_route {overlay}", (overlay, last)
                self.safe.discard(overlay)


@pytest.mark.parametrize("userspace", [False, True])
@pytest.mark.parametrize(("before", "after"), TRANSITIONS)
def test_at_every_step_the_overlay_is_encrypted_or_unreachable(
    before: str, after: str, *, userspace: bool
) -> None:
    start, end = states()[before], states()[after]
    scene = build(start, userspace=userspace)
    watch = Watch(scene, start, end)
    assert go(scene, end) is Result.CONVERGED
    assert watch.checked > 1
    assert watch.safe >= set(samples(end) if end else ())


@pytest.mark.parametrize(("before", "after"), TRANSITIONS)
def test_the_overlay_is_never_in_clear_while_a_failure_is_reverted(before: str, after: str) -> None:
    start, end = states()[before], states()[after]
    if start is None:
        return  # reverting a first apply ends where there was no overlay
    for door, nth, steps in ways_to_fail(before, after):
        scene = build(start)
        scene.host.faults.fail(door, nth, HostError(door, "it", "ordered"), after=steps)
        watch = Watch(scene, start, end)
        watch.leaving |= set(samples(end) if end else ()) - set(samples(start))
        watch.orderly = False
        attempt(scene, end)


class BootWatch:
    """Checks after every step that runtimes find a configuration only when all else is there."""

    def __init__(self, scene: Scene, wanted: str, *, orderly: bool = True) -> None:
        self.scene = scene
        self.wanted = wanted
        self.orderly = orderly
        """Else only what keeps pods' packets private counts: without a route or forwarding, they
        go nowhere."""
        self.check()
        scene.host.faults.watch = self.check

    def check(self) -> None:
        if pods_can_start(self.scene):
            there, wanted = dump_network(self.scene), self.wanted
            if not self.orderly:
                there, wanted = protection(there), protection(wanted)
            assert there == wanted, self.scene.host.faults.writes[-1]


def pods_can_start(scene: Scene) -> bool:
    path = scene.paths.cni / scene.resolved.host.cni.file_name
    return path in scene.host.files or Path(scene.host.symlinks.get(path, "")) in scene.host.files


def dump_network(scene: Scene) -> str:
    lines = dump_all(scene.host).splitlines()
    return "\n".join(line for line in lines if not line.startswith(("file ", "link from ")))


def protection(dump: str) -> str:
    kinds = ("link ", "iptables-", "ip6tables-")
    return "\n".join(
        line for line in dump.splitlines() if line.startswith(kinds) or "unreachable" in line
    )


@pytest.mark.parametrize("userspace", [False, True])
@pytest.mark.parametrize("name", ["four", "IPv4 only, other names"])
def test_after_a_boot_no_pod_can_start_before_all_else_is_in_place(
    name: str, *, userspace: bool
) -> None:
    ended = build(states()[name], userspace=userspace)
    scene = reboot(ended)
    BootWatch(scene, dump_network(ended))
    assert not pods_can_start(scene)

    assert scene.converge().result is Result.CONVERGED
    assert pods_can_start(scene)
    assert dump_all(scene.host) == dump_all(ended.host)
    assert (
        scene.writes()[-1] == f"replace_link {scene.paths.cni / ended.resolved.host.cni.file_name}"
    )


def test_after_a_boot_no_failure_lets_a_pod_start_too_early() -> None:
    ended = converged()
    trial = reboot(ended)
    trial.converge()
    for door in WRITES:
        for nth in range(1, trial.host.faults.calls[door] + 1):
            scene = reboot(ended)
            scene.host.faults.fail(door, nth, HostError(door, "it", "ordered by a test", 5))
            BootWatch(scene, dump_network(ended), orderly=False)
            reverted = attempt(scene, scene.resolved) is Result.REVERTED
            assert pods_can_start(scene) is not reverted, (door, nth)


@pytest.mark.parametrize("before", ["four", "three, another epoch", "IPv4 only, other names"])
def test_destroy_gives_the_host_its_first_state_back(before: str) -> None:
    first = dump_all(Scene().host)
    scene = build(states()[before])
    assert scene.destroy().result is Result.CONVERGED
    assert dump_all(scene.host) == first


DAMAGES = st.lists(
    st.sampled_from(
        [
            "remove peer",
            "strange peer",
            "move prefix",
            "no key",
            "other port",
            "delete device",
            "delete bridge",
            "device down",
            "bridge down",
            "mtu",
            "remove addresses",
            "strange address",
            "primary address",
            "remove routes",
            "re-point route",
            "remove guards",
            "strange route of ours",
            "flush chain",
            "empty tables",
            "sysctl",
            "conflist",
            "plain conflist",
            "no conflist",
            "conflist behind link",
            "unmarked bridge",
            "old variant",
            "no memory",
        ]
    ),
    max_size=8,
    unique=True,
)


@settings(max_examples=examples(100))
@given(
    damages=DAMAGES,
    userspace=st.booleans(),
    after=st.sampled_from(["four", "renamed", "three, another epoch"]),
)
@example(damages=["remove guards", "flush chain"], userspace=False, after="renamed")
def test_any_mixture_of_damage_is_healed_in_one_apply_to_any_state(
    damages: list[str], *, userspace: bool, after: str
) -> None:
    # A bridge without our mark is ours only as far as memory knows.
    assume(not {"unmarked bridge", "no memory"} <= set(damages))
    scene = converged(Scene(userspace=userspace))
    foreign = dump_foreign(scene.host)
    end = states()[after]
    assert end is not None
    wanted = dump_all(build(end, userspace=userspace).host)
    for name in damages:
        DAMAGE[name](scene)
    Watch(scene, scene.resolved, end)
    scene.resolved = end
    outcome = scene.converge()

    assert (outcome.result, outcome.trouble) == (Result.CONVERGED, ())
    assert scene.plan().changes == ()
    assert dump_all(scene.host) == wanted
    assert dump_foreign(scene.host) == foreign


@settings(max_examples=examples(60))
@given(before=inventories(), after=inventories(), userspace=st.booleans())
def test_any_mesh_converges_changes_and_leaves_without_a_trace(
    before: Inventory, after: Inventory, *, userspace: bool
) -> None:
    scene = Scene(as_first_node(before), userspace=userspace)
    first = dump_all(scene.host)
    for inventory in (before, after):
        scene.resolved = as_first_node(inventory)
        assert scene.converge().result is Result.CONVERGED
        scene.writes()
        assert scene.plan().changes == ()
        assert scene.converge().result is Result.CONVERGED
        assert scene.writes() == []
    assert scene.destroy().result is Result.CONVERGED
    assert dump_all(scene.host) == first


def as_first_node(inventory: Inventory) -> ResolvedHost:
    """Return the desired state of an inventory's first node, with the scene's key."""
    first, *others = inventory.nodes
    own = replace(first, public_key=PUBLIC)
    return resolve_host(replace(inventory, nodes=(own, *others)), own.name)
