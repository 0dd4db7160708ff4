"""What holds while the removal of much is refused, whatever else happened to the host."""

from functools import cache
from ipaddress import ip_network

import pytest
from damage import DAMAGE
from effort import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from scenes import OVERLAYS, WG, Scene, build_inventory, converged, dump_all, resolve_host

from applier.converge import converge
from applier.errors import HostError
from applier.fake import Killed
from applier.fake.path import Fate, fate_of
from applier.outcome import Outcome, Result
from applier.plan import Action
from schemas.state import ResolvedHost
from schemas.values import Prefix, PublicKey

pytestmark = pytest.mark.law

STAYING = ("node-a", "node-b", "node-c", "node-d")
LEAVING = tuple(f"gone-{number}" for number in range(30))

DAMAGES = st.lists(
    st.sampled_from(
        [
            "remove peer",
            "strange peer",
            "move prefix",
            "no key",
            "other port",
            "device down",
            "bridge down",
            "mtu",
            "remove addresses",
            "strange address",
            "remove routes",
            "re-point route",
            "remove guards",
            "strange route of ours",
            "flush chain",
            "empty tables",
            "sysctl",
            "no conflist",
        ]
    ),
    max_size=6,
    unique=True,
)
"""What leaves those who are to stay alive: a device that is deleted takes its peers with it."""


@cache
def before() -> ResolvedHost:
    """Return what the host converged to."""
    return resolve_host(build_inventory((*STAYING, *LEAVING)))


@cache
def after() -> ResolvedHost:
    """Return what it is to become: thirty have left, one came, and settings differ."""
    mesh = build_inventory(STAYING, persistent_keepalive=25, epoch="2026-12")
    newcomer = resolve_host(build_inventory((*STAYING, *LEAVING, "new"))).peers
    wanted = resolve_host(mesh)
    came = {name: peer for name, peer in newcomer.items() if name == "new"}
    return replace(wanted, peers=wanted.peers | came)


def keep(scene: Scene) -> Outcome:
    """Converge as the agent does."""
    scene.resolved = after()
    return converge(
        scene.host,
        scene.resolved,
        vault=scene.vault,
        paths=scene.paths,
        spare_on_refusal=True,
    )


def prefixes(scene: Scene) -> dict[PublicKey, frozenset[Prefix]]:
    peers = scene.host.devices.get(WG).peers
    return {peer.public_key: frozenset(peer.allowed_ips) for peer in peers}


def damaged(damages: list[str], *, userspace: bool = False) -> Scene:
    scene = converged(Scene(before(), userspace=userspace))
    for name in damages:
        DAMAGE[name](scene)
    scene.writes()
    return scene


class Watch:
    """Checks after every write that no packet of the overlay is in clear that was not before."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.addresses = [
            *(
                str(ip_network(prefix)[7])
                for p in before().peers.values()
                for prefix in p.allowed_ips
            ),
            *(str(ip_network(overlay)[-9]) for overlay in OVERLAYS),
        ]
        self.clear = self.find_clear()
        scene.host.faults.watch = self.check

    def find_clear(self) -> set[str]:
        links = self.scene.host.network.links
        bridges = [name for name, link in links.items() if link.group == 9806]
        return {
            address
            for address in self.addresses
            if fate_of(self.scene.host, address, bridges=bridges) is Fate.CLEAR
        }

    def check(self) -> None:
        now = self.find_clear()
        assert now <= self.clear, self.scene.host.faults.writes[-1]
        self.clear = now


@settings(max_examples=examples(40))
@given(damages=DAMAGES, userspace=st.booleans())
@example(damages=["remove guards", "flush chain", "strange peer"], userspace=False)
def test_nobody_leaves_all_else_is_done_and_no_step_is_unsafe(
    damages: list[str], *, userspace: bool
) -> None:
    scene = damaged(damages, userspace=userspace)
    theirs = {p.public_key: frozenset(p.allowed_ips) for n, p in before().peers.items()}
    watch = Watch(scene)
    outcome = keep(scene)

    assert (outcome.result, outcome.spared, outcome.trouble) == (Result.REFUSED, True, ())
    assert {change.action for change in outcome.left.changes} == {Action.DELETE}
    assert watch.clear == set()
    assert prefixes(scene) == theirs | {
        peer.public_key: frozenset(peer.allowed_ips) for peer in after().peers.values()
    }
    scene.writes()
    keep(scene)
    assert scene.writes() == []


@settings(max_examples=examples(40))
@given(damages=DAMAGES, step=st.integers(1, 12))
def test_killed_at_any_moment_nobody_has_left_and_the_next_turn_goes_on(
    damages: list[str], step: int
) -> None:
    scene = damaged(damages)
    there = set(prefixes(scene)) & {peer.public_key for peer in before().peers.values()}
    Watch(scene)
    scene.host.faults.kill_after(step)
    try:
        keep(scene)
    except Killed:
        assert set(prefixes(scene)) >= there
    scene.host.faults.calm()
    outcome = keep(scene)
    assert (outcome.result, outcome.trouble) == (Result.REFUSED, ())
    assert set(prefixes(scene)) >= there


@settings(max_examples=examples(40))
@given(
    damages=DAMAGES,
    door=st.sampled_from(["wireguard.configure", "iptables_restore", "add_route", "write_file"]),
)
def test_what_fails_is_put_back_and_the_next_turn_goes_on(damages: list[str], door: str) -> None:
    scene = damaged(damages)
    there = set(prefixes(scene))
    scene.host.faults.calls.clear()
    scene.host.faults.fail(door, 1, HostError(door, "it", "ordered by a test", 5))
    try:
        outcome = keep(scene)
    except HostError:
        assert door == "write_file"  # the note of what is about to be done
    else:
        assert outcome.result is Result.REFUSED
        assert outcome.reverted in {None, True}
        assert outcome.reverted is None or set(prefixes(scene)) == there
    scene.host.faults.calm()
    assert keep(scene).trouble == ()


@settings(max_examples=examples(20))
@given(damages=DAMAGES)
def test_permission_then_leads_to_where_it_would_have_led_at_once(damages: list[str]) -> None:
    scene = damaged(damages)
    keep(scene)
    assert scene.converge().result is Result.CONVERGED
    assert dump_all(scene.host) == dump_all(converged(Scene(after())).host)
