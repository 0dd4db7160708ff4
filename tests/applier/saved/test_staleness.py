"""What makes a saved plan stale, and what does not: key by key."""

import pytest
from damage import (
    CONFLIST,
    DAMAGE,
    Damage,
    chains,
    change_device,
    change_link,
    change_peer,
    let_speak,
    remove_jump,
)
from inventories import make_key
from msgspec.structs import replace
from savedplans import (
    VERSION,
    apply_content,
    be_machine,
    facts_of,
    keys_of,
    reboot_only,
    refuse,
    save,
)
from scenes import BRIDGE, PRIVATE, WG, Scene, build_inventory, converged, resolve_host, route

from applier.host import Link
from applier.kinds import KINDS
from applier.outcome import Result
from applier.saved.stale import Aspect, Fact
from applier.vault import Vault
from schemas.values import Endpoint

ELSEWHERE = Endpoint("198.51.100.7:4242")
GUARD = "guard 10.244.0.0/16 metric 4294967295"


def planned(scene: Scene | None = None) -> tuple[Scene, bytes]:
    """Return a converged host, and a plan to let node-e join it."""
    scene = converged(scene)
    names = ("node-a", "node-b", "node-c", "node-d", "node-e")
    scene.resolved = resolve_host(build_inventory(names))
    content = save(scene)
    return scene, content


DRIFT: dict[str, tuple[Damage, list[str]]] = {
    "guard removed": (DAMAGE["remove guards"], [GUARD]),
    "sysctl": (DAMAGE["sysctl"], ["sysctl net.ipv4.ip_forward"]),
    "link's MTU": (DAMAGE["mtu"], [f"link {BRIDGE}"]),
    # The kernel takes a link's IPv6 addresses with it when it goes down (addrconf_ifdown).
    "link down": (
        DAMAGE["bridge down"],
        [f"address {BRIDGE} fd00:244:0:1::1/64", f"up {BRIDGE}"],
    ),
    "listen port": (DAMAGE["other port"], [f"wireguard {WG}"]),
    "firewall mark": (lambda scene: change_device(scene, fwmark=7), [f"wireguard {WG}"]),
    "peer removed": (DAMAGE["remove peer"], ["peer node-b"]),
    "stranger": (DAMAGE["strange peer"], [f"peer {make_key('stranger')}"]),
    "prefix moved": (
        DAMAGE["move prefix"],
        ["peer node-b", f"peer {make_key('stranger')}"],
    ),
    "keepalive": (
        lambda scene: change_peer(scene, "node-b", persistent_keepalive=7),
        ["peer node-b"],
    ),
    "pre-shared key": (
        lambda scene: change_peer(scene, "node-b", preshared_key="0123456789abcdef"),
        ["peer node-b"],
    ),
    "address added": (DAMAGE["strange address"], [f"address {WG} 10.9.9.9/32"]),
    "addresses removed": (
        DAMAGE["remove addresses"],
        [f"address {BRIDGE} 10.244.1.1/24", f"address {BRIDGE} fd00:244:0:1::1/64"],
    ),
    "route removed": (DAMAGE["remove routes"], ["route 10.244.0.0/16 metric 1024"]),
    "route re-pointed": (DAMAGE["re-point route"], ["route 10.244.0.0/16 metric 1024"]),
    "route of ours added": (DAMAGE["strange route of ours"], ["route 10.244.3.0/24 metric 7"]),
    "chain flushed": (DAMAGE["flush chain"], ["firewall iptables-nft mangle WORMHOLE-GUARD"]),
    "jump removed": (remove_jump, ["firewall iptables-nft mangle POSTROUTING"]),
    "CNI configuration": (DAMAGE["conflist"], [f"cni {CONFLIST}"]),
    "CNI configuration removed": (DAMAGE["no conflist"], [f"cni {CONFLIST}"]),
}


@pytest.mark.parametrize("drift", DRIFT)
def test_exactly_the_keys_that_drifted_are_told(drift: str) -> None:
    scene, content = planned()
    damage, expected = DRIFT[drift]
    damage(scene)
    reasons = refuse(scene, content)
    assert keys_of(reasons) == expected
    assert facts_of(reasons) == []


def test_every_kind_has_a_drift_here() -> None:
    kinds = {key.split(" ")[0] for _, keys in DRIFT.values() for key in keys}
    assert kinds == {kind.name for kind in KINDS}


def test_what_it_was_and_what_it_is_are_both_told() -> None:
    scene, content = planned()
    change_link(scene, BRIDGE, mtu=9000)
    [one] = refuse(scene, content).objects
    assert (one.planned.mtu, one.now.mtu) == (1440, 9000)


def install_flannel(scene: Scene) -> None:
    DAMAGE["no conflist"](scene)
    scene.host.files[scene.paths.cni / CONFLIST] = (b'{"name": "flannel"}', 0o644)


FOREIGN: dict[str, tuple[Damage, str, str]] = {
    "a route into the overlay": (
        lambda scene: scene.host.network.add_route(route("10.244.9.0/24")),
        "route 10.244.9.0/24 metric 100",
        "a unicast route of protocol 3 on eth0 holds a part of the overlay and is not Wormhole's",
    ),
    "a CNI file of our name": (
        install_flannel,
        f"cni {CONFLIST}",
        "a file of this name configures the CNI network 'flannel', not 'wormhole'",
    ),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_foreign_object_that_came_is_told(what: str) -> None:
    scene, content = planned()
    damage, key, sentence = FOREIGN[what]
    damage(scene)
    [one] = refuse(scene, content).objects
    assert (f"{one.kind} {one.key}", one.now) == (key, sentence)


def test_a_foreign_link_of_our_name_is_told_on_a_host_without_anything() -> None:
    scene = Scene()
    content = save(scene)
    scene.host.network.add_link(Link(name=WG, kind="dummy", group=0, mtu=1500))
    assert keys_of(refuse(scene, content)) == [f"link {WG}"]


def test_a_foreign_object_that_went_is_told() -> None:
    scene = converged()
    stranger = route("10.244.9.0/24")
    scene.host.network.add_route(stranger)
    content = save(scene)
    scene.host.network.delete_route(stranger)
    change_link(scene, BRIDGE, mtu=9000)
    reasons = refuse(scene, content)
    assert keys_of(reasons) == [f"link {BRIDGE}", "route 10.244.9.0/24 metric 100"]
    assert reasons.objects[1].now is None


def hear(scene: Scene, endpoint: str = ELSEWHERE) -> None:
    let_speak(scene, "node-b", endpoint, seconds_ago=1)


def let_be(_scene: Scene) -> None:
    """Do nothing before."""


def tick(scene: Scene, seconds: int) -> None:
    scene.host.clock += seconds


def hear_later(scene: Scene) -> None:
    tick(scene, 100)
    hear(scene)


TIME: dict[str, tuple[Damage, Damage]] = {
    "a year": (let_be, lambda scene: tick(scene, 31_536_000)),
    "a peer is heard where it was configured": (
        let_be,
        lambda scene: hear(scene, "192.0.2.2:9806"),
    ),
    "a peer is heard elsewhere": (let_be, hear),
    "a peer that roamed roams on": (hear, lambda scene: hear(scene, "203.0.113.9:1")),
    "a peer that roamed is heard again": (hear, hear_later),
    "a peer falls silent where it is configured": (
        lambda scene: hear(scene, "192.0.2.2:9806"),
        lambda scene: tick(scene, 300),
    ),
    "a peer without an endpoint falls silent": (
        lambda scene: let_speak(scene, "node-d", ELSEWHERE, seconds_ago=1),
        lambda scene: tick(scene, 300),
    ),
    "bytes are counted": (
        let_be,
        lambda scene: change_peer(scene, "node-b", received=10_000, sent=99),
    ),
}


@pytest.mark.parametrize("what", TIME)
def test_time_passes_and_the_plan_is_as_good_as_before(what: str) -> None:
    before, meanwhile = TIME[what]
    scene = converged()
    before(scene)
    scene, content = planned(scene)
    meanwhile(scene)
    outcome = apply_content(scene, content)
    assert outcome.result is Result.CONVERGED
    assert [f"{change.action} {change.key}" for change in outcome.done] == ["create node-e"]


def test_a_peer_that_is_changed_may_roam_meanwhile_and_stays_where_it_is() -> None:
    scene = converged()
    hear(scene)
    scene.resolved = resolve_host(build_inventory(persistent_keepalive=25))
    content = save(scene)
    hear(scene, "203.0.113.9:1")
    outcome = apply_content(scene, content)
    assert outcome.result is Result.CONVERGED
    [peer] = [
        peer
        for peer in scene.host.devices.devices[WG].peers
        if peer.public_key == scene.resolved.peers["node-b"].public_key  # type: ignore[index] # a test's name
    ]
    assert (peer.endpoint, peer.persistent_keepalive) == ("203.0.113.9:1", 25)


def test_a_peer_that_moves_may_roam_or_fall_silent_before_its_new_endpoint_is_sent() -> None:
    for seconds in (1, 300):
        scene = converged()
        hear(scene)
        moved = scene.resolved.peers | {
            "node-b": replace(scene.resolved.peers["node-b"], endpoint=Endpoint("192.0.2.77:9806"))  # type: ignore[index] # a test's name
        }
        scene.resolved = replace(scene.resolved, peers=moved)
        content = save(scene)
        hear(scene, "203.0.113.9:1")
        tick(scene, seconds)
        assert apply_content(scene, content).result is Result.CONVERGED


def test_a_peer_that_roamed_and_was_lost_needs_another_plan() -> None:
    scene = converged()
    hear(scene)
    scene, content = planned(scene)
    tick(scene, 300)
    reasons = refuse(scene, content)
    assert (facts_of(reasons), keys_of(reasons)) == ([], [])
    [other] = reasons.changes
    assert (other.key, other.planned) == ("node-b", None)
    assert other.now is not None
    assert other.now.after.endpoint == "192.0.2.2:9806"


def test_a_boot_makes_a_plan_stale_though_nothing_else_differs() -> None:
    scene, content = planned()
    reboot_only(scene)
    expected = Fact(
        aspect=Aspect.BOOT,
        planned="00000000-0000-4000-8000-000000000001",
        now="00000000-0000-4000-8000-000000000002",
    )
    reasons = refuse(scene, content)
    assert (facts_of(reasons), keys_of(reasons)) == (["boot"], [])
    assert reasons.facts == (expected,)


def test_another_machine_is_refused_before_anything_is_looked_at() -> None:
    scene = converged()
    be_machine(scene, b"4bb2be5ffd5e4bd3a3ea4fdd4ef2ddb6")
    scene, content = planned(scene)
    be_machine(scene, b"c5e2df62b5a54a51a7b4e5f7a2a0b1c3")
    scene.host.faults.calls.clear()
    assert facts_of(refuse(scene, content)) == ["machine"]
    assert scene.host.faults.calls["links"] == 0


def test_a_machine_is_not_named_in_its_plan() -> None:
    scene = converged()
    machine = b"4bb2be5ffd5e4bd3a3ea4fdd4ef2ddb6"
    be_machine(scene, machine)
    _, content = planned(scene)
    assert machine[:8] not in content


def test_a_host_with_another_key_is_refused() -> None:
    scene, content = planned()
    other = Vault(b"another salt")
    other.put_as(make_key("unused"), PRIVATE)
    scene.host.files[scene.paths.private_key] = (
        b"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n",
        0o600,
    )
    scene.vault = other
    assert facts_of(refuse(scene, content)) == ["key"]


def test_another_version_of_wormhole_plans_for_itself() -> None:
    scene, content = planned()
    assert facts_of(refuse(scene, content, "9.9.9")) == ["version"]
    assert apply_content(scene, content, VERSION).result is Result.CONVERGED


def test_a_new_state_applied_meanwhile_is_told() -> None:
    scene, content = planned()
    wanted = scene.resolved
    names = ("node-a", "node-b", "node-c", "node-d", "node-f")
    scene.resolved = resolve_host(build_inventory(names))
    scene.converge()
    scene.resolved = wanted
    reasons = refuse(scene, content)
    assert (facts_of(reasons), keys_of(reasons)) == (["memory"], ["peer node-f"])


def test_a_lost_memory_is_told() -> None:
    scene, content = planned()
    del scene.host.files[scene.paths.applied]
    reasons = refuse(scene, content)
    assert (facts_of(reasons), keys_of(reasons)) == (["memory"], [])


def test_another_master_of_the_same_epoch_would_give_other_keys() -> None:
    scene, content = planned()
    path = scene.paths.master("2026-11")
    scene.host.files[path] = (b"QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n", 0o600)
    reasons = refuse(scene, content)
    assert (facts_of(reasons), keys_of(reasons)) == ([], [])
    assert {one.key for one in reasons.changes} == {"node-b", "node-c", "node-d", "node-e"}


def test_peers_told_in_another_order_are_the_same_peers() -> None:
    scene = converged()
    for name in ("one", "two", "three"):
        device = scene.host.devices.devices[WG]
        stranger = replace(device.peers[0], public_key=make_key(name), allowed_ips=())
        change_device(scene, peers=(*device.peers, stranger))
    content = save(scene)
    device = scene.host.devices.devices[WG]
    change_device(scene, peers=tuple(reversed(device.peers)))
    assert apply_content(scene, content).result is Result.CONVERGED


def test_foreign_rules_that_do_not_concern_us_are_nothing() -> None:
    scene, content = planned()
    chains(scene, "filter")["INPUT"].append("-p tcp -m tcp --dport 443 -j ACCEPT")
    scene.host.network.add_route(route("203.0.113.0/24"))
    assert apply_content(scene, content).result is Result.CONVERGED
