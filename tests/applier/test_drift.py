"""Each thing that can be done to a host by hand is named by the plan and healed by one apply."""

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
    move_jump_behind_accept,
    remove_jump,
    remove_route,
    void,
)
from inventories import make_key
from scenes import (
    BRIDGE,
    WG,
    Scene,
    build_inventory,
    converged,
    dump_all,
    dump_foreign,
    resolve_host,
    tell,
)

from applier.outcome import Result
from schemas.values import Endpoint, Prefix

STRANGER = make_key("stranger")
GUARD = "iptables-nft mangle WORMHOLE-GUARD"
ELSEWHERE = Endpoint("198.51.100.7:4242")


def edit_rule(scene: Scene) -> None:
    rules = chains(scene, "mangle")["WORMHOLE-GUARD"]
    rules[-1] = rules[-1].replace("-j DROP", "-j ACCEPT")


def repeat_jump(scene: Scene) -> None:
    rules = chains(scene, "filter")["INPUT"]
    rules.append(rules[0])


def write_conflist(content: bytes) -> Damage:
    def act(scene: Scene) -> None:
        scene.host.files[scene.paths.configuration(CONFLIST)] = (content, 0o644)

    return act


def replace_by_junk(scene: Scene) -> None:
    DAMAGE["no conflist"](scene)
    scene.host.files[scene.paths.cni / CONFLIST] = (b"junk", 0o644)


def lead_elsewhere(scene: Scene) -> None:
    scene.host.symlinks[scene.paths.cni / CONFLIST] = "/nowhere"


TABLE: dict[str, tuple[Damage, list[str]]] = {
    "peer removed": (DAMAGE["remove peer"], ["create peer node-b (drift)"]),
    "foreign peer added": (
        DAMAGE["strange peer"],
        [f"delete peer {STRANGER} (drift), session drop: no node of this mesh has this key"],
    ),
    "prefix taken by a foreign peer": (
        DAMAGE["move prefix"],
        [
            "update peer node-b (drift)",
            f"delete peer {STRANGER} (drift), session drop: no node of this mesh has this key",
        ],
    ),
    "allowed IPs changed": (
        lambda scene: change_peer(scene, "node-b", allowed_ips=(Prefix("10.244.9.0/24"),)),
        ["update peer node-b (drift)"],
    ),
    "pre-shared key changed": (
        lambda scene: change_peer(scene, "node-b", preshared_key="0123456789abcdef"),
        ["update peer node-b (drift)"],
    ),
    "pre-shared key removed": (
        lambda scene: change_peer(scene, "node-b", preshared_key=""),
        ["update peer node-b (drift)"],
    ),
    "keepalive changed": (
        lambda scene: change_peer(scene, "node-b", persistent_keepalive=25),
        ["update peer node-b (drift)"],
    ),
    "listen port changed": (
        DAMAGE["other port"],
        [
            (
                f"update wireguard {WG} (drift), session drop: "
                "peers that know the old port hear nothing until this host speaks first"
            )
        ],
    ),
    "private key changed": (
        lambda scene: change_device(scene, public_key=make_key("another")),
        [
            (
                f"update wireguard {WG} (drift), session drop: "
                "another private key: all sessions start anew"
            )
        ],
    ),
    "private key removed": (DAMAGE["no key"], [f"update wireguard {WG} (drift)"]),
    "firewall mark set": (
        lambda scene: change_device(scene, fwmark=7),
        [f"update wireguard {WG} (drift)"],
    ),
    "endpoint of a peer that never spoke changed": (
        lambda scene: change_peer(scene, "node-b", endpoint=ELSEWHERE),
        [
            (
                "update peer node-b (drift): "
                "no handshake for 275 s: looked for at its configured endpoint again"
            )
        ],
    ),
    "endpoint of a peer that was last heard 275 s ago changed": (
        lambda scene: let_speak(scene, "node-b", ELSEWHERE, seconds_ago=275),
        [
            (
                "update peer node-b (drift): "
                "no handshake for 275 s: looked for at its configured endpoint again"
            )
        ],
    ),
    "device deleted": (
        DAMAGE["delete device"],
        [
            f"create link {WG} (drift)",
            f"create wireguard {WG} (drift)",
            "create peer node-b (drift)",
            "create peer node-c (drift)",
            "create peer node-d (drift)",
            f"create address {WG} 10.244.1.2/32 (drift)",
            f"create address {WG} fd00:244:0:1::2/128 (drift)",
            f"create up {WG} (drift)",
            "create route 10.244.0.0/16 metric 1024 (drift)",
            "create route fd00:244::/48 metric 1024 (drift)",
        ],
    ),
    "bridge deleted": (
        DAMAGE["delete bridge"],
        [
            f"create link {BRIDGE} (drift)",
            f"create address {BRIDGE} 10.244.1.1/24 (drift)",
            f"create address {BRIDGE} fd00:244:0:1::1/64 (drift)",
            f"create up {BRIDGE} (drift)",
        ],
    ),
    "device down": (
        DAMAGE["device down"],
        [
            f"create address {WG} fd00:244:0:1::2/128 (drift)",
            f"update up {WG} (drift)",
            "create route 10.244.0.0/16 metric 1024 (drift)",
            "create route fd00:244::/48 metric 1024 (drift)",
        ],
    ),
    "bridge down": (
        DAMAGE["bridge down"],
        [
            f"create address {BRIDGE} fd00:244:0:1::1/64 (drift)",
            f"update up {BRIDGE} (drift)",
        ],
    ),
    "wrong MTU": (DAMAGE["mtu"], [f"update link {BRIDGE} (drift)"]),
    "addresses removed": (
        DAMAGE["remove addresses"],
        [
            f"create address {BRIDGE} 10.244.1.1/24 (drift)",
            f"create address {BRIDGE} fd00:244:0:1::1/64 (drift)",
        ],
    ),
    "address added": (DAMAGE["strange address"], [f"delete address {WG} 10.9.9.9/32 (drift)"]),
    "address whose removal takes ours along": (
        DAMAGE["primary address"],
        [
            f"create address {BRIDGE} 10.244.1.1/24 (drift)",
            f"delete address {BRIDGE} 10.244.1.99/24 (drift)",
        ],
    ),
    "route removed": (remove_route, ["create route 10.244.0.0/16 metric 1024 (drift)"]),
    "route re-pointed": (
        DAMAGE["re-point route"],
        ["update route 10.244.0.0/16 metric 1024 (drift)"],
    ),
    "route with our mark added": (
        DAMAGE["strange route of ours"],
        ["delete route 10.244.3.0/24 metric 7 (drift)"],
    ),
    "guard route removed": (
        DAMAGE["remove guards"],
        ["create guard 10.244.0.0/16 metric 4294967295 (drift)"],
    ),
    "rule deleted": (
        lambda scene: void(chains(scene, "mangle")["WORMHOLE-GUARD"].pop(0)),
        [f"update firewall {GUARD} (drift): 1 rule missing"],
    ),
    "rule inserted": (
        lambda scene: chains(scene, "mangle")["WORMHOLE-GUARD"].insert(0, "-j ACCEPT"),
        [f"update firewall {GUARD} (drift): 1 rule inserted"],
    ),
    "rules reordered": (
        lambda scene: chains(scene, "mangle")["WORMHOLE-GUARD"].reverse(),
        [f"update firewall {GUARD} (drift): rules in another order"],
    ),
    "rule edited, its mark kept": (
        edit_rule,
        [f"update firewall {GUARD} (drift): rule 4 edited"],
    ),
    "chain flushed": (
        DAMAGE["flush chain"],
        [f"update firewall {GUARD} (drift): flushed: all 4 rules missing"],
    ),
    "jump removed": (
        remove_jump,
        [
            (
                "update firewall iptables-nft mangle POSTROUTING (drift): "
                "the jump to WORMHOLE-GUARD is missing or edited"
            )
        ],
    ),
    "jump moved behind an ACCEPT": (
        move_jump_behind_accept,
        [
            (
                "update firewall iptables-nft filter FORWARD (drift): "
                "the jump to WORMHOLE-ANTISPOOF stands behind "
                "foreign rules that could let a packet pass it by"
            )
        ],
    ),
    "a DROP behind our last jump": (
        lambda scene: chains(scene, "filter")["FORWARD"].append("-j DROP"),
        [
            (
                "update firewall iptables-nft filter FORWARD (drift): the jump to WORMHOLE-FORWARD "
                "stands before foreign rules that could refuse what it accepts"
            )
        ],
    ),
    "jump repeated": (
        repeat_jump,
        [
            (
                "update firewall iptables-nft filter INPUT (drift): "
                "jumps repeated, in another order, or added"
            )
        ],
    ),
    "chains left in the other variant": (
        DAMAGE["old variant"],
        [
            "delete firewall iptables-legacy filter FORWARD (drift): jump to WORMHOLE-FORWARD",
            "delete firewall iptables-legacy filter WORMHOLE-FORWARD (drift): 1 rule",
        ],
    ),
    "sysctl flipped": (DAMAGE["sysctl"], ["update sysctl net.ipv4.ip_forward (drift)"]),
    "conflist edited": (DAMAGE["conflist"], [f"update cni {CONFLIST} (drift)"]),
    "conflist cut off": (write_conflist(b'{"name": "wo'), [f"update cni {CONFLIST} (drift)"]),
    "conflist removed": (
        DAMAGE["no conflist"],
        [f"create cni {CONFLIST} (drift): pods can start from here on"],
    ),
    "conflist gone from behind its link": (
        DAMAGE["conflist behind link"],
        [f"create cni {CONFLIST} (drift): pods can start from here on"],
    ),
    "conflist in place of its link": (
        DAMAGE["plain conflist"],
        [f"update cni {CONFLIST} (drift): a boot takes it away until all else is in place"],
    ),
    "junk in place of the conflist's link": (
        replace_by_junk,
        [f"update cni {CONFLIST} (drift): a boot takes it away until all else is in place"],
    ),
    "conflist's link leads elsewhere": (lead_elsewhere, [f"update cni {CONFLIST} (drift)"]),
    "bridge made by the CNI plugin": (
        DAMAGE["unmarked bridge"],
        [
            (
                f"update link {BRIDGE} (drift), session drop: made without our mark, as the CNI "
                "plugin makes one from our configuration; pods relearn the address of their gateway"
            )
        ],
    ),
    "mark removed from the bridge": (
        lambda scene: change_link(scene, BRIDGE, group=0),
        [
            (
                f"update link {BRIDGE} (drift): made without our mark, as the CNI plugin makes one "
                "from our configuration"
            )
        ],
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_damage_is_named_and_healed_and_nothing_foreign_is_touched(case: str) -> None:
    scene = converged()
    wanted = dump_all(scene.host)
    act, lines = TABLE[case]
    act(scene)
    foreign = dump_foreign(scene.host)

    assert tell(scene.plan().changes) == lines
    assert scene.writes() == []
    assert scene.converge().result is Result.CONVERGED
    assert dump_foreign(scene.host) == foreign
    scene.writes()
    assert scene.plan().changes == ()
    assert scene.converge().result is Result.CONVERGED
    assert scene.writes() == []
    if "jump" not in case and "DROP" not in case and "heard" not in case:
        assert dump_all(scene.host) == wanted


def test_a_peer_that_roamed_is_no_drift_as_long_as_it_is_heard() -> None:
    scene = converged()
    let_speak(scene, "node-b", ELSEWHERE, seconds_ago=274)

    assert scene.plan().changes == ()
    scene.host.clock += 1
    assert len(scene.plan().changes) == 1


def test_another_field_of_a_roamed_peer_is_healed_and_its_endpoint_left() -> None:
    scene = converged()
    let_speak(scene, "node-b", ELSEWHERE, seconds_ago=10)
    change_peer(scene, "node-b", persistent_keepalive=25)
    scene.host.devices.updates.clear()

    assert scene.converge().result is Result.CONVERGED
    [update] = scene.host.devices.updates
    [peer] = update.peers
    assert (peer.endpoint, peer.persistent_keepalive) == (None, 0)


def test_a_peer_without_a_configured_endpoint_may_have_any() -> None:
    scene = converged()
    change_peer(scene, "node-d", endpoint=ELSEWHERE)
    assert scene.plan().changes == ()


@pytest.mark.parametrize("seconds_ago", [1, 1000])
def test_a_new_endpoint_in_the_document_is_set_at_once(seconds_ago: int) -> None:
    scene = converged(Scene(resolve_host(build_inventory(without_endpoint="node-b"))))
    let_speak(scene, "node-b", ELSEWHERE, seconds_ago=seconds_ago)
    scene.resolved = resolve_host(build_inventory())

    assert "update peer node-b (desired changed)" in tell(scene.plan().changes)


def test_a_userspace_process_that_was_killed_is_started_again() -> None:
    scene = converged(Scene(userspace=True))
    wanted = dump_all(scene.host)
    DAMAGE["delete device"](scene)  # wireguard-go's device does not outlive it

    assert tell(scene.plan().changes)[0] == f"create link {WG} (drift)"
    assert scene.converge().result is Result.CONVERGED
    assert dump_all(scene.host) == wanted


def test_a_device_without_its_process_is_made_anew() -> None:
    scene = converged(Scene(userspace=True))
    wanted = dump_all(scene.host)
    del scene.host.devices.devices[WG]

    assert tell(scene.plan().changes)[0] == (
        f"recreate link {WG} (drift), disruptive: its userspace process is gone, "
        "and a device without one cannot be revived"
    )
    assert scene.converge().result is Result.CONVERGED
    assert dump_all(scene.host) == wanted
