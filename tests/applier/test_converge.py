"""Planning and converging a host: order, causes, conflicts, refusals, failures, memory."""

import json
from base64 import b64encode
from pathlib import Path

import pytest
from damage import DAMAGE, change_peer, void
from inventories import make_inventory, make_key, make_mesh, make_node
from msgspec.structs import replace
from scenes import (
    BRIDGE,
    EPOCH,
    MASTERS,
    OVERLAYS,
    PRIVATE,
    PUBLIC,
    WG,
    Scene,
    build_inventory,
    converged,
    dump_all,
    dump_foreign,
    resolve_host,
    route,
    tell,
)

from applier.errors import HostError, Unobservable, Unsupported
from applier.fake import FakeHost
from applier.host import Host, Link
from applier.kinds import KINDS
from applier.outcome import Result
from applier.plan import Action, Cause, Plan
from schemas.document import digest, dump
from schemas.problems import Problems
from schemas.state import IptablesVariant, ResolvedHost
from schemas.validate import violations
from schemas.values import NodeName, PublicKey


def dump_ours(host: FakeHost) -> list[str]:
    """Return a dump's lines about the network of the device of old, memory and sysctls apart."""
    return [line for line in dump_all(host).splitlines() if WG in line and "sysctl" not in line]


def shrunk() -> tuple[Scene, list[PublicKey]]:
    """Return a host of a mesh that 20 of 30 other nodes have left since, and their keys."""
    names = ("node-a", *(f"node-{number}" for number in range(30)))
    scene = converged(Scene(resolve_host(build_inventory(names))))
    before = scene.resolved.peers
    scene.resolved = resolve_host(build_inventory(names[:11]))
    gone = [name for name in before if name not in scene.resolved.peers]
    return scene, [before[name].public_key for name in gone]


def kinds_of(plan: Plan) -> list[str]:
    """Return the kinds in the order in which they come, each run once."""
    kinds = [change.kind for change in plan.changes]
    return [kind for index, kind in enumerate(kinds) if index == 0 or kinds[index - 1] != kind]


def test_the_fake_is_a_host() -> None:
    host: Host = Scene().host
    assert host.routes()


def test_a_first_apply_makes_guards_first_and_the_cni_file_last() -> None:
    plan = Scene().plan()

    assert kinds_of(plan) == [kind.name for kind in KINDS]
    assert {change.action for change in plan.changes} == {Action.CREATE, Action.UPDATE}
    assert {change.cause for change in plan.changes} == {"desired changed"}
    assert {change.risk for change in plan.changes} == {"hitless"}


def test_a_plan_says_whose_it_is_and_towards_what() -> None:
    scene = Scene()
    plan = scene.plan()
    assert (plan.host, plan.digest) == ("node-a", digest(scene.resolved))


def test_planning_writes_nothing() -> None:
    scene = Scene()
    earlier = dump_all(scene.host)
    scene.plan()
    assert (dump_all(scene.host), scene.writes()) == (earlier, [])


def test_a_thousand_peers_are_one_message() -> None:
    names = ("node-a", *(f"node-{number}" for number in range(250)))
    scene = converged(Scene(resolve_host(build_inventory(names, overlays=("10.244.0.0/16",)))))
    assert [len(update.peers) for update in scene.host.devices.updates] == [0, 250]


class TestCauses:
    def test_a_change_of_the_document_is_called_so(self) -> None:
        scene = converged()
        scene.resolved = resolve_host(build_inventory(persistent_keepalive=25))
        assert tell(scene.plan().changes) == [
            "update peer node-b (desired changed)",
            "update peer node-c (desired changed)",
            "update peer node-d (desired changed)",
        ]

    def test_a_change_by_hand_of_what_the_document_changes_too_is_both(self) -> None:
        scene = converged()
        change_peer(scene, "node-b", persistent_keepalive=7)
        scene.resolved = resolve_host(build_inventory(persistent_keepalive=25))
        assert tell(scene.plan().changes)[0] == "update peer node-b (both)"

    def test_a_change_by_hand_is_drift_although_the_document_changes_elsewhere(self) -> None:
        scene = converged()
        DAMAGE["mtu"](scene)
        scene.resolved = resolve_host(build_inventory(persistent_keepalive=25))
        assert tell(scene.plan().changes)[0] == f"update link {BRIDGE} (drift)"

    def test_without_memory_nothing_is_called_drift(self) -> None:
        scene = converged()
        void(scene.host.files.pop(scene.paths.applied))
        DAMAGE["mtu"](scene)
        assert tell(scene.plan().changes) == [f"update link {BRIDGE} (desired changed)"]

    def test_damaged_memory_is_no_memory(self) -> None:
        scene = converged()
        scene.host.files[scene.paths.applied] = (b'{"kind": "Resolv', 0o600)
        assert scene.plan().changes == ()
        assert scene.converge().result is Result.CONVERGED
        assert scene.host.files[scene.paths.applied][0].endswith(b"}\n")

    def test_a_new_key_of_a_node_is_a_new_peer_before_the_old_one_goes(self) -> None:
        scene = converged()
        old = scene.resolved.peers[NodeName("node-b")]
        new = replace(old, public_key=make_key("node-b's second key"))
        scene.resolved = replace(
            scene.resolved, peers=scene.resolved.peers | {NodeName("node-b"): new}
        )
        assert tell(scene.plan().changes) == [
            "create peer node-b (desired changed)",
            (
                f"delete peer {old.public_key} (desired changed), session drop: "
                "its node left the mesh, or has another key now"
            ),
        ]

    def test_a_node_that_left_keeps_its_name_in_the_plan(self) -> None:
        scene = converged()
        scene.resolved = resolve_host(build_inventory(("node-a", "node-b", "node-c")))
        assert tell(scene.plan().changes) == [
            (
                "delete peer node-d (desired changed), session drop: "
                "its node left the mesh, or has another key now"
            )
        ]

    def test_a_new_epoch_changes_keys_in_place(self) -> None:
        scene = converged()
        scene.resolved = resolve_host(build_inventory(epoch="2026-12"))
        plan = scene.plan()
        assert tell(plan.changes) == [
            "update peer node-b (desired changed)",
            "update peer node-c (desired changed)",
            "update peer node-d (desired changed)",
        ]
        scene.host.devices.updates.clear()
        assert scene.converge().result is Result.CONVERGED
        [update] = scene.host.devices.updates
        assert all(
            (peer.preshared_key is not None, peer.endpoint, peer.add_allowed_ips, peer.remove)
            == (True, None, (), False)
            for peer in update.peers
        )

    def test_the_cause_is_known_although_the_old_epochs_secret_is_gone(self) -> None:
        scene = converged()
        del scene.host.files[scene.paths.master(EPOCH)]
        scene.resolved = resolve_host(build_inventory(epoch="2026-12"))
        assert scene.converge().result is Result.CONVERGED


class TestFieldsSent:
    def test_a_prefix_that_moves_is_added_and_not_removed(self) -> None:
        scene = converged()
        peers = scene.resolved.peers
        b, c = NodeName("node-b"), NodeName("node-c")
        moved = peers[b].allowed_ips[0]
        scene.resolved = replace(
            scene.resolved,
            peers=peers
            | {
                b: replace(peers[b], allowed_ips=peers[b].allowed_ips[1:]),
                c: replace(peers[c], allowed_ips=(moved, *peers[c].allowed_ips)),
            },
        )
        scene.host.devices.updates.clear()
        assert scene.converge().result is Result.CONVERGED
        [update] = scene.host.devices.updates
        assert [
            (peer.public_key, peer.add_allowed_ips, peer.remove_allowed_ips)
            for peer in update.peers
        ] == [(peers[b].public_key, (), ()), (peers[c].public_key, (moved,), ())]

    def test_a_prefix_that_goes_is_removed_alone(self) -> None:
        scene = converged()
        peers = scene.resolved.peers
        b = NodeName("node-b")
        kept, gone = peers[b].allowed_ips
        scene.resolved = replace(
            scene.resolved, peers=peers | {b: replace(peers[b], allowed_ips=(kept,))}
        )
        scene.host.devices.updates.clear()
        assert scene.converge().result is Result.CONVERGED
        [update] = scene.host.devices.updates
        [peer] = update.peers
        assert (peer.add_allowed_ips, peer.remove_allowed_ips) == ((), (gone,))

    def test_only_the_port_is_sent_when_only_the_port_differs(self) -> None:
        scene = converged()
        DAMAGE["other port"](scene)
        scene.host.devices.updates.clear()
        assert scene.converge().result is Result.CONVERGED
        [update] = scene.host.devices.updates
        assert (update.private_key, update.listen_port, update.fwmark, update.peers) == (
            None,
            9806,
            None,
            (),
        )

    def test_only_the_mtu_is_set_when_only_the_mtu_differs(self) -> None:
        scene = converged()
        DAMAGE["mtu"](scene)
        assert scene.converge().result is Result.CONVERGED
        assert scene.writes() == [f"set_link {BRIDGE}"]


class TestConflicts:
    def test_a_foreign_link_of_our_name_stops_what_depends_on_it(self) -> None:
        scene = Scene()
        scene.host.network.add_link(Link(name=WG, kind="veth", group=0, mtu=1500, up=True))
        foreign = dump_foreign(scene.host)
        outcome = scene.converge()

        assert outcome.result is Result.CONFLICT
        assert tell(outcome.plan.conflicts) == [
            (
                f"conflict link {WG} (drift): a veth link in group 0 has this name and is not "
                "Wormhole's (its group is 9806); what depends on it waits"
            )
        ]
        assert scene.host.network.links[WG].kind == "veth"
        assert scene.host.network.addresses[WG] == []
        done = {change.kind for change in outcome.done}
        assert done == {"guard", "sysctl", "link", "address", "up"}
        assert {change.action for change in outcome.left.changes} == {Action.CONFLICT}
        assert dump_foreign(scene.host) == foreign

    def test_a_foreign_link_of_our_name_is_not_trusted_by_the_firewall(self) -> None:
        scene = converged()
        rules = scene.host.iptables_save(IptablesVariant.NFT, ipv6=False)
        scene.resolved = resolve_host(build_inventory(interface="eth0"))
        outcome = scene.converge()

        assert outcome.result is Result.CONFLICT
        assert scene.host.iptables_save(IptablesVariant.NFT, ipv6=False) == rules

    def test_a_tunnel_that_works_is_kept_while_a_stranger_has_its_new_name(self) -> None:
        scene = converged()
        scene.host.network.add_link(Link(name="tunnel0", kind="veth", group=0, mtu=1500, up=True))
        working = dump_ours(scene.host)
        scene.resolved = resolve_host(build_inventory(interface="tunnel0"))
        outcome = scene.converge()

        assert outcome.result is Result.CONFLICT
        assert dump_ours(scene.host) == working

        scene.host.network.delete_link("tunnel0")
        assert scene.converge(allow_mass_delete=True).result is Result.CONVERGED
        assert WG not in scene.host.network.links

    @pytest.mark.parametrize("variant", [IptablesVariant.NFT, IptablesVariant.LEGACY])
    def test_a_chain_of_the_old_wormhole_that_is_still_called_is_a_conflict(
        self, variant: IptablesVariant
    ) -> None:
        """Its link has our name, so the rules that call the chain have to wait, and so has it."""
        scene = Scene(resolve_host(build_inventory(iptables_variant=variant)))
        scene.host.network.add_link(Link(name=WG, kind="tun", group=0, mtu=1500, up=True))
        tables = scene.host.tables[variant, False]
        tables.restore(OLD_RULES, lambda: None)
        rules = tables.save()

        outcome = scene.converge()

        assert (outcome.result, outcome.reverted) == (Result.CONFLICT, None)
        assert "guard" in {change.kind for change in outcome.done}
        notes = {change.key: change.note for change in outcome.left.conflicts}
        assert notes.keys() == {WG, f"iptables-{variant} filter WORMHOLE-ANTISPOOFING"}
        assert "docs/migrate.md" in notes[f"iptables-{variant} filter WORMHOLE-ANTISPOOFING"]
        assert tables.save() == rules
        scene.writes()
        assert scene.converge().result is Result.CONFLICT
        assert scene.writes() == []

        scene.host.delete_link(WG)
        assert scene.converge().result is Result.CONVERGED
        assert "ANTISPOOFING" not in tables.save()

    def test_rules_that_are_left_over_wait_with_those_that_replace_them(self) -> None:
        scene = Scene()
        scene.host.network.add_link(Link(name=WG, kind="veth", group=0, mtu=1500, up=True))
        tables = scene.host.tables[IptablesVariant.NFT, False]
        tables.restore(OLD_RULES.replace("ANTISPOOFING", "MINE"), lambda: None)
        rules = tables.save()
        outcome = scene.converge()
        assert outcome.result is Result.CONFLICT
        assert [each.key for each in outcome.left.conflicts] == [WG]
        assert tables.save() == rules
        scene.host.delete_link(WG)
        assert scene.converge().result is Result.CONVERGED
        assert "WORMHOLE-MINE" not in tables.save()

    def test_a_foreign_route_inside_the_overlay_is_shown_and_left(self) -> None:
        scene = converged()
        scene.host.network.add_route(route("10.244.5.0/24", gateway="192.0.2.77"))
        outcome = scene.converge()

        assert outcome.result is Result.CONFLICT
        assert tell(outcome.plan.changes) == [
            (
                "conflict route 10.244.5.0/24 metric 100 (drift): a unicast route of protocol 3 "
                "via 192.0.2.77 on eth0 holds a part of the overlay and is not Wormhole's"
            )
        ]
        assert scene.writes() == []

    def test_a_foreign_route_under_our_key_is_never_replaced(self) -> None:
        scene = Scene()
        scene.host.network.add_route(route("10.244.0.0/16", metric=1024))
        outcome = scene.converge()

        assert outcome.result is Result.CONFLICT
        assert scene.host.network.routes["10.244.0.0/16", 1024].protocol == 3
        assert outcome.failures == ()

    @pytest.mark.parametrize("type_", ["unreachable", "blackhole", "prohibit"])
    def test_a_foreign_route_that_rejects_is_not_in_the_way(self, type_: str) -> None:
        scene = converged()
        rejecting = replace(route("10.244.5.0/24"), type=type_, device="")
        scene.host.network.add_route(rejecting)
        assert scene.plan().changes == ()

    def test_a_foreign_route_that_leads_around_the_overlay_is_not_in_the_way(self) -> None:
        scene = converged()
        scene.host.network.add_route(route("10.0.0.0/8"))
        scene.host.network.add_route(route("10.245.0.0/24"))
        assert scene.plan().changes == ()

    def test_a_cni_file_that_nobody_can_read_is_left_however_often_one_applies(self) -> None:
        scene = Scene()
        path = scene.paths.cni / "10-wormhole.conflist"
        scene.host.files[path] = (b"junk", 0o644)

        for _ in range(3):
            assert scene.converge().result is Result.CONFLICT
            assert scene.host.files[path] == (b"junk", 0o644)

        scene.destroy()
        assert scene.host.files[path] == (b"junk", 0o644)

    def test_a_cni_file_of_another_network_is_left(self) -> None:
        scene = Scene()
        path = scene.paths.cni / "10-wormhole.conflist"
        scene.host.files[path] = (b'{"name": "flannel"}', 0o644)
        outcome = scene.converge()

        assert outcome.result is Result.CONFLICT
        assert tell(outcome.plan.conflicts) == [
            (
                "conflict cni 10-wormhole.conflist (drift): a file of this name configures the CNI "
                "network 'flannel', not 'wormhole'"
            )
        ]
        assert scene.host.files[path] == (b'{"name": "flannel"}', 0o644)

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, "a link of this name leads to /srv/cni.conflist, where nothing is"),
            (b"junk", "a file of this name that is no CNI configuration is there"),
            (b'{"name": "flannel"}', "a file of this name configures the CNI network 'flannel'"),
        ],
    )
    def test_a_link_that_leads_elsewhere_is_left(self, content: bytes | None, words: str) -> None:
        scene = Scene()
        path, elsewhere = scene.paths.cni / "10-wormhole.conflist", Path("/srv/cni.conflist")
        scene.host.symlinks[path] = str(elsewhere)
        if content is not None:
            scene.host.files[elsewhere] = (content, 0o644)
        outcome = scene.converge()

        assert outcome.result is Result.CONFLICT
        (told,) = tell(outcome.plan.conflicts)
        assert told.startswith(f"conflict cni 10-wormhole.conflist (drift): {words}, ")
        scene.destroy()
        assert scene.host.symlinks == {path: str(elsewhere)}
        assert scene.host.read_file(elsewhere) == content

    def test_what_somebody_wrote_through_our_link_is_left(self) -> None:
        scene = converged()
        path = scene.paths.configuration("10-wormhole.conflist")
        scene.host.files[path] = (b'{"name": "flannel"}', 0o644)

        assert scene.converge().result is Result.CONFLICT
        assert scene.host.files[path] == (b'{"name": "flannel"}', 0o644)

    @pytest.mark.parametrize(
        ("kind", "group", "remembered"),
        [("bridge", 0, False), ("bridge", 7, True), ("veth", 0, True), ("", 0, True)],
    )
    def test_a_link_that_the_cni_plugin_did_not_make_for_us_is_left(
        self, kind: str, group: int, *, remembered: bool
    ) -> None:
        scene = converged()
        DAMAGE["delete bridge"](scene)
        foreign = Link(name=BRIDGE, kind=kind, group=group, mtu=1500)
        scene.host.network.add_link(foreign)
        if not remembered:
            void(scene.host.files.pop(scene.paths.applied))

        assert scene.converge().result is Result.CONFLICT
        assert scene.host.network.links[BRIDGE] == foreign

    def test_a_bridge_that_an_apply_could_not_take_over_is_as_it_was(self) -> None:
        scene = converged()
        DAMAGE["unmarked bridge"](scene)
        DAMAGE["no conflist"](scene)
        earlier = dump_all(scene.host)
        scene.host.faults.fail("replace_link", 1, HostError("replace link", "x", "read-only", 30))

        assert scene.converge().result is Result.REVERTED
        assert dump_all(scene.host) == earlier

    def test_a_bridge_is_marked_in_place_and_its_mtu_pinned(self) -> None:
        scene = converged()
        DAMAGE["unmarked bridge"](scene)
        scene.writes()

        assert scene.converge().result is Result.CONVERGED
        calm = [
            f"write_sysctl net.ipv6.conf.{BRIDGE}.{key}=0" for key in ("accept_dad", "accept_ra")
        ]
        assert scene.writes() == [*calm, *[f"set_link {BRIDGE}"] * 3]

    def test_a_conflict_that_stays_does_not_make_roaming_drift(self) -> None:
        scene = Scene()
        scene.host.network.add_route(route("10.244.5.0/24"))
        assert scene.converge().result is Result.CONFLICT
        change_peer(scene, "node-b", endpoint="198.51.100.1:1", last_handshake=scene.host.clock - 5)
        assert [change.kind for change in scene.plan().changes] == ["route"]

    def test_a_tun_that_a_killed_run_left_without_its_group_is_ours(self) -> None:
        scene = Scene(userspace=True)
        scene.host.devices.create(WG, 0)
        scene.host.files[scene.paths.starting(WG)] = (b"", 0o600)
        outcome = scene.converge()

        assert outcome.result is Result.CONVERGED
        assert scene.paths.starting(WG) not in scene.host.files
        assert scene.host.network.links[WG].group == 9806

    def test_a_tun_of_our_name_without_that_note_is_foreign(self) -> None:
        scene = Scene(userspace=True)
        scene.host.devices.create(WG, 0)
        assert scene.converge().result is Result.CONFLICT


class TestRefusals:
    def test_a_state_for_another_key_is_refused_with_both(self) -> None:
        scene = Scene()
        wireguard = replace(scene.resolved.host.wireguard, public_key=make_key("other"))
        scene.resolved = replace(
            scene.resolved, host=replace(scene.resolved.host, wireguard=wireguard)
        )
        with pytest.raises(Problems) as caught:
            scene.converge()
        assert str(caught.value) == (
            f"HostState/node-a wireguard.publicKey '{make_key('other')}': "
            f"is not this host's public key, which is {PUBLIC}:"
            " either this is not node-a, or its MeshNode needs that key"
        )
        assert scene.writes() == []

    def test_an_epoch_without_its_secret_is_refused_with_the_path(self) -> None:
        scene = Scene()
        del scene.host.files[scene.paths.master(EPOCH)]
        with pytest.raises(Problems, match=r"^/var/lib/wormhole/psk/2026-11: "):
            scene.converge()
        assert scene.writes() == []

    def test_a_plan_that_removes_much_needs_permission(self) -> None:
        scene, _ = shrunk()
        earlier = dump_all(scene.host)
        outcome = scene.converge(allow_mass_delete=False)

        assert outcome.result is Result.REFUSED
        assert outcome.refused == ("the plan removes 20 of 64 objects, which is more than a fifth")
        assert dump_all(scene.host) == earlier
        assert scene.writes() == []
        assert scene.converge(allow_mass_delete=True).result is Result.CONVERGED

    def test_peers_that_are_known_to_leave_need_no_permission(self) -> None:
        scene, leaving = shrunk()
        outcome = scene.converge(allow_mass_delete=False, expected_to_leave=frozenset(leaving))

        assert outcome.result is Result.CONVERGED
        live = {peer.public_key for peer in scene.host.devices.get(WG).peers}
        assert live == {peer.public_key for peer in scene.resolved.peers.values()}

    def test_peers_that_are_known_to_leave_excuse_no_others(self) -> None:
        scene, leaving = shrunk()
        outcome = scene.converge(allow_mass_delete=False, expected_to_leave=leaving[:8])

        assert outcome.refused == ("the plan removes 12 of 56 objects, which is more than a fifth")
        assert scene.writes() == []

    def test_being_known_to_leave_removes_nobody_who_is_wanted(self) -> None:
        scene = converged()
        keys = [peer.public_key for peer in scene.resolved.peers.values()]
        outcome = scene.converge(allow_mass_delete=False, expected_to_leave=keys)
        assert (outcome.result, scene.writes()) == (Result.CONVERGED, [])

    def test_nodes_that_all_changed_their_keys_stay_and_need_no_permission(self) -> None:
        names = ("node-a", *(f"node-{number}" for number in range(30)))
        scene = converged(Scene(resolve_host(build_inventory(names))))
        peers = {
            name: replace(peer, public_key=make_key(f"new {name}"))
            for name, peer in scene.resolved.peers.items()
        }
        scene.resolved = replace(scene.resolved, peers=peers)
        outcome = scene.converge(allow_mass_delete=False)

        assert outcome.result is Result.CONVERGED
        live = {peer.public_key for peer in scene.host.devices.get(WG).peers}
        assert live == {peer.public_key for peer in scene.resolved.peers.values()}

    def test_nodes_that_changed_their_keys_excuse_nobody_who_leaves(self) -> None:
        scene, _ = shrunk()
        (name, peer), *_ = scene.resolved.peers.items()
        changed = {name: replace(peer, public_key=make_key("new"))}
        scene.resolved = replace(scene.resolved, peers=scene.resolved.peers | changed)
        outcome = scene.converge(allow_mass_delete=False)

        assert outcome.refused == "the plan removes 20 of 63 objects, which is more than a fifth"
        assert scene.writes() == []

    def test_a_plan_that_removes_few_of_few_needs_none(self) -> None:
        scene = converged()
        scene.resolved = resolve_host(build_inventory(("node-a", "node-b")))
        assert scene.converge(allow_mass_delete=False).result is Result.CONVERGED

    def test_a_variant_that_is_not_installed_is_refused(self) -> None:
        scene = Scene(
            resolve_host(build_inventory(iptables_variant=IptablesVariant.LEGACY)),
            installed=(IptablesVariant.NFT,),
        )
        with pytest.raises(Unsupported) as caught:
            scene.converge()
        assert str(caught.value) == "use iptables-legacy: not installed (installed: nft)"

    def test_a_host_without_iptables_is_told_what_to_install(self) -> None:
        scene = Scene(resolve_host(build_inventory()), installed=())
        with pytest.raises(Unsupported) as caught:
            scene.converge()
        assert str(caught.value) == (
            "use iptables: not installed (Debian and Ubuntu: package iptables)"
        )


class TestFailures:
    def test_what_depends_on_a_failure_is_skipped_and_the_rest_goes_on(self) -> None:
        scene = Scene()
        scene.host.faults.fail("wireguard.create", 1, HostError("create", WG, "no memory", 12))
        outcome = scene.converge()

        assert outcome.result is Result.REVERTED
        reasons = {(failure.change.kind, failure.reason) for failure in outcome.failures}
        assert reasons == {
            ("link", f"create {WG}: no memory (code 12)"),
            ("wireguard", f"waits for link {WG}"),
            ("peer", f"waits for link {WG}, wireguard {WG}"),
            ("address", f"waits for link {WG}"),
            ("up", f"waits for link {WG}"),
            ("route", f"waits for link {WG}, up {WG}"),
            ("firewall", "waits for link"),
            ("cni", "waits for address, firewall, link, up"),
        }
        assert {"guard", "sysctl"} <= {change.kind for change in outcome.done}
        assert dump_foreign(scene.host) == dump_foreign(Scene().host)

    def test_a_change_without_effect_is_a_failure_although_nothing_failed(self) -> None:
        scene = Scene()
        scene.host.network.add_address = lambda *_: None  # type: ignore[method-assign] # a kernel that lies
        outcome = scene.converge()

        assert outcome.result is Result.REVERTED
        assert outcome.trouble[0] == f"verify: address {WG} 10.244.1.2/32 is not as desired"

    def test_a_revert_that_fails_too_is_told(self) -> None:
        scene = Scene()
        scene.host.faults.fail(
            "write_file", 4, HostError("write file", "conflist", "disk full", 28)
        )
        scene.host.faults.fail("delete_link", 1, HostError("delete", BRIDGE, "busy", 16))
        outcome = scene.converge()

        assert outcome.result is Result.NOT_REVERTED
        assert outcome.trouble == (
            f"revert: link {BRIDGE}: delete {BRIDGE}: busy (code 16)",
            "revert: guard fd00:244::/48 metric 4294967295: waits for link",
            "revert: guard 10.244.0.0/16 metric 4294967295: waits for link",
            f"not reverted: link {BRIDGE}",
            "not reverted: guard fd00:244::/48 metric 4294967295",
            "not reverted: guard 10.244.0.0/16 metric 4294967295",
        )

    def test_a_verify_that_cannot_observe_is_a_failure_after_the_fact(self) -> None:
        scene = Scene()
        calls = scene.host.faults.calls
        scene.plan()
        looks = calls["routes"]
        scene.host.faults.fail("routes", looks + 1, Unobservable("list", "routes", "interrupted"))
        outcome = scene.converge()

        assert outcome.result is Result.REVERTED
        assert outcome.trouble == ("verify: list routes: interrupted",)

    def test_a_revert_gives_back_what_was_there_before_secrets_too(self) -> None:
        scene = converged()
        change_peer(scene, "node-b", preshared_key=scene.vault.put(b"by hand" * 4))
        DAMAGE["strange peer"](scene)
        earlier = dump_all(scene.host)
        scene.resolved = resolve_host(
            build_inventory(("node-a", "node-c"), epoch="2026-12", interface="other0")
        )
        scene.host.faults.fail("iptables_restore", 1, HostError("load", "rules", "no", 1))
        outcome = scene.converge()

        assert outcome.result is Result.REVERTED
        assert sorted(dump_all(scene.host).splitlines()) == sorted(
            [*earlier.splitlines(), *attempt_of(scene)]
        )

    def test_a_failed_note_of_the_attempt_writes_nothing_else(self) -> None:
        scene = Scene()
        scene.host.faults.fail("write_file", 1, HostError("write file", "x", "read-only", 30))
        with pytest.raises(HostError):
            scene.converge()
        assert len(scene.writes()) == 1

    def test_memory_that_cannot_be_kept_is_only_told(self) -> None:
        scene = converged()
        void(scene.host.files.pop(scene.paths.applied))
        scene.host.faults.fail("write_file", 1, HostError("write file", "x", "disk full", 28))
        outcome = scene.converge()

        assert outcome.result is Result.CONVERGED
        assert outcome.trouble == ("memory: write file x: disk full (code 28)",)


def attempt_of(scene: Scene) -> list[str]:
    """Return the line of the note that a failed attempt leaves."""
    return [line for line in dump_all(scene.host).splitlines() if "attempted.json" in line]


OLD_RULES = """\
*filter
:WORMHOLE-ANTISPOOFING - [0:0]
-A FORWARD -s 10.244.0.0/16 -m comment --comment "wormhole: check" -j WORMHOLE-ANTISPOOFING
-A INPUT -s 10.244.0.0/16 -m comment --comment "wormhole: check" -j WORMHOLE-ANTISPOOFING
-A WORMHOLE-ANTISPOOFING -m comment --comment "wormhole: drop spoofed traffic" -j DROP
COMMIT
"""
"""What the Wormhole of 2019 leaves in the filter table."""


class TestVariants:
    def test_auto_follows_the_kubelet(self) -> None:
        scene = Scene(furnished=False)
        legacy = scene.host.tables[IptablesVariant.LEGACY, True]
        legacy.restore("*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n", lambda: None)
        assert variants_of(converged(scene)) == {IptablesVariant.LEGACY}

    def test_auto_prefers_nft_where_both_have_kubernetes_chains(self) -> None:
        assert variants_of(converged()) == {IptablesVariant.NFT}

    def test_auto_stays_where_our_chains_are(self) -> None:
        scene = Scene(furnished=False)
        scene.host.variants = (IptablesVariant.LEGACY,)
        converged(scene)
        scene.host.variants = (IptablesVariant.NFT, IptablesVariant.LEGACY)
        assert scene.plan().changes == ()

    def test_auto_takes_the_hosts_default_otherwise(self) -> None:
        scene = Scene(furnished=False)
        scene.host.variants = (IptablesVariant.LEGACY, IptablesVariant.NFT)
        assert variants_of(converged(scene)) == {IptablesVariant.LEGACY}

    def test_another_variant_in_the_document_moves_the_chains(self) -> None:
        scene = converged()
        scene.resolved = resolve_host(build_inventory(iptables_variant=IptablesVariant.LEGACY))
        outcome = scene.converge(allow_mass_delete=False)
        assert outcome.result is Result.CONVERGED
        assert {change.cause for change in outcome.done} == {Cause.DESIRED}
        assert variants_of(scene) == {IptablesVariant.LEGACY}

    def test_a_variant_that_is_gone_costs_only_the_cause(self) -> None:
        before = build_inventory(iptables_variant=IptablesVariant.NFT)
        scene = converged(Scene(resolve_host(before)))
        scene.host.variants = (IptablesVariant.LEGACY,)
        scene.resolved = resolve_host(build_inventory(iptables_variant=IptablesVariant.LEGACY))
        assert scene.converge(allow_mass_delete=False).result is Result.CONVERGED

    def test_auto_passes_over_a_variant_that_the_kernel_lacks(self) -> None:
        scene = Scene(furnished=False)
        scene.host.unsupported.add(IptablesVariant.NFT)
        assert variants_of(converged(scene)) == {IptablesVariant.LEGACY}

    def test_an_unreadable_variant_stops_auto(self) -> None:
        scene = Scene()
        scene.host.unreadable.add(IptablesVariant.NFT)
        with pytest.raises(Unobservable):
            scene.converge()
        assert scene.writes() == []

    @pytest.mark.parametrize("asked", [IptablesVariant.LEGACY, IptablesVariant.AUTO])
    def test_a_kernel_without_the_other_variant_stops_nobody(self, asked: IptablesVariant) -> None:
        scene = Scene(resolve_host(build_inventory(iptables_variant=asked)))
        scene.host.unsupported.add(IptablesVariant.NFT)
        assert scene.converge().result is Result.CONVERGED
        assert variants_of(scene) == {IptablesVariant.LEGACY}
        assert scene.plan().changes == ()
        assert scene.destroy().result is Result.CONVERGED
        assert variants_of(scene) == set()

    def test_a_kernel_without_the_wanted_variant_is_refused(self) -> None:
        wanted = build_inventory(iptables_variant=IptablesVariant.NFT)
        scene = Scene(resolve_host(wanted))
        scene.host.unsupported.add(IptablesVariant.NFT)
        with pytest.raises(Unsupported) as caught:
            scene.plan()
        assert str(caught.value) == "read iptables-nft: Protocol not supported (code 1)"

    def test_an_unreadable_variant_that_is_not_used_stops_nobody(self) -> None:
        scene = Scene(resolve_host(build_inventory(iptables_variant=IptablesVariant.LEGACY)))
        scene.host.unreadable.add(IptablesVariant.NFT)
        assert scene.converge().result is Result.CONVERGED

    def test_to_ask_for_a_variant_is_the_way_past_one_that_became_unreadable(self) -> None:
        scene = converged()
        scene.resolved = resolve_host(build_inventory(iptables_variant=IptablesVariant.LEGACY))
        scene.host.unreadable.add(IptablesVariant.NFT)
        assert scene.converge().result is Result.CONVERGED

    def test_a_dump_that_was_cut_off_is_unobservable(self) -> None:
        scene = converged()
        tables = scene.host.tables[IptablesVariant.NFT, False]
        whole = tables.save()
        tables.save = lambda: whole.removesuffix("COMMIT\n")  # type: ignore[method-assign] # cut off
        with pytest.raises(Unobservable):
            scene.plan()


def variants_of(scene: Scene) -> set[IptablesVariant]:
    return {
        variant
        for (variant, _), tables in scene.host.tables.items()
        if "WORMHOLE-" in tables.save()
    }


class TestSysctls:
    def test_a_parameter_that_was_set_before_us_is_left_by_destroy(self) -> None:
        scene = Scene()
        scene.host.sysctls.write("net.ipv4.ip_forward", "1")
        earlier = dump_all(scene.host)
        assert scene.converge().result is Result.CONVERGED
        assert scene.destroy().result is Result.CONVERGED
        assert dump_all(scene.host) == earlier

    def test_destroy_gives_back_what_the_kernel_changed_along(self) -> None:
        scene = Scene()
        scene.host.sysctls.values["net.ipv4.conf.all.accept_redirects"] = "0"
        scene.host.sysctls.values["net.ipv4.conf.eth0/100.forwarding"] = "1"
        earlier = dump_all(scene.host)
        assert scene.converge().result is Result.CONVERGED
        assert scene.destroy().result is Result.CONVERGED
        assert dump_all(scene.host) == earlier

    def test_destroy_leaves_a_parameter_that_somebody_changed_since(self) -> None:
        scene = converged()
        scene.host.sysctls.write("net.ipv6.conf.all.forwarding", "2")
        assert scene.destroy().result is Result.CONVERGED
        assert scene.host.sysctls.values["net.ipv6.conf.all.forwarding"] == "2"

    def test_a_family_that_leaves_gives_its_parameter_back(self) -> None:
        scene = converged()
        scene.resolved = resolve_host(build_inventory(overlays=("10.244.0.0/16",)))
        assert scene.converge().result is Result.CONVERGED
        assert scene.host.sysctls.values["net.ipv6.conf.all.forwarding"] == "0"

    def test_forwarding_that_would_drop_learned_routes_is_called_disruptive(self) -> None:
        scene = Scene()
        scene.host.network.add_route(route("::/0", gateway="fe80::1", metric=1024, protocol=9))
        scene.host.sysctls.values["net.ipv6.conf.eth0.accept_ra"] = "1"
        assert tell(scene.plan().changes)[3] == (
            "update sysctl net.ipv6.conf.all.forwarding (desired changed), disruptive: "
            "the kernel drops the IPv6 routes learned from router advertisements on eth0, and "
            "ignores later ones, unless accept_ra is 2 there"
        )
        scene.host.sysctls.values["net.ipv6.conf.eth0.accept_ra"] = "2"
        assert tell(scene.plan().changes)[3] == (
            "update sysctl net.ipv6.conf.all.forwarding (desired changed)"
        )

    def test_a_kernel_without_ipv6_fails_that_alone(self) -> None:
        scene = Scene()
        del scene.host.sysctls.values["net.ipv6.conf.all.forwarding"]
        outcome = scene.converge()
        assert outcome.result is Result.REVERTED
        assert [(f.change.kind, f.skipped) for f in outcome.failures] == [
            ("sysctl", False),
            ("cni", True),
        ]


def resolve_pods(*prefixes: str, overlays: tuple[str, ...] = OVERLAYS) -> ResolvedHost:
    """Return the desired state of node-a with these pod CIDRs, beside one other node."""
    return resolve_host(
        make_inventory(
            make_mesh(*overlays),
            make_node("node-a", *prefixes, public_key=PUBLIC),
            make_node("node-b", "10.244.1.0/24", "fd00:244:0:1::/64"),
        )
    )


class TestAddresses:
    """A node's pod CIDRs change under a host that has converged."""

    @staticmethod
    def go(before: tuple[str, ...], after: tuple[str, ...]) -> Scene:
        scene = converged(Scene(resolve_pods(*before)))
        scene.resolved = resolve_pods(*after)
        outcome = scene.converge()
        assert (outcome.result, outcome.left.changes) == (Result.CONVERGED, ())
        assert scene.plan().changes == ()
        return scene

    def test_an_ipv6_one_may_change_its_length_alone(self) -> None:
        scene = self.go(
            ("10.244.0.0/24", "fd00:244::/120"),
            ("10.244.0.0/24", "fd00:244::/124"),
        )
        assert "fd00:244::1/124" in scene.host.addresses(BRIDGE)

    def test_an_ipv4_one_may_change_its_length_alone(self) -> None:
        self.go(("10.244.0.0/24",), ("10.244.0.0/25",))

    def test_the_last_ipv4_one_takes_no_route_along(self) -> None:
        scene = self.go(("10.244.0.0/24", "fd00:244::/64"), ("fd00:244::/64",))
        routes = [(route.destination, route.type) for route in scene.host.routes()]
        assert ("10.244.0.0/16", "unicast") in routes

    def test_nor_a_route_that_the_same_apply_has_made(self) -> None:
        scene = converged(Scene(resolve_pods("10.244.0.0/24", "fd00:244::/64")))
        scene.resolved = resolve_pods("fd00:244::/64", overlays=(*OVERLAYS, "192.168.0.0/16"))
        outcome = scene.converge()
        assert outcome.result is Result.CONVERGED
        made = [change.key for change in outcome.done if change.action is Action.CREATE]
        assert made.count("192.168.0.0/16 metric 1024") == 1
        assert scene.plan().changes == ()

    def test_nor_where_all_is_reverted(self) -> None:
        scene = converged(Scene(resolve_pods("fd00:244::/64")))
        before = dump_all(scene.host)
        scene.resolved = resolve_pods("10.244.0.0/24", "fd00:244::/64")
        error = HostError("load", "iptables", "no memory", 12)
        scene.host.faults.fail("iptables_restore", 1, error)
        assert scene.converge().result is Result.REVERTED
        assert dump_all(scene.host) == before


class TestIPv6:
    OFF = f"net.ipv6.conf.{BRIDGE}.disable_ipv6"

    def test_a_link_on_which_it_was_switched_off_is_drift(self) -> None:
        scene = converged()
        scene.host.sysctls.values[self.OFF] = "1"
        plan = scene.plan()
        assert tell(plan.changes) == [
            (
                f"update link {BRIDGE} (drift): "
                "IPv6 is switched off on it, which refuses its IPv6 addresses"
            )
        ]
        assert violations(json.loads(dump(plan)), "plan") == ()
        assert scene.converge().result is Result.CONVERGED
        assert scene.host.sysctls.values[self.OFF] == "0"
        assert scene.writes() == [f"write_sysctl {self.OFF}=0"]

    def test_an_overlay_without_it_does_not_mind(self) -> None:
        scene = converged(Scene(resolve_host(build_inventory(overlays=("10.244.0.0/16",)))))
        scene.host.sysctls.values[self.OFF] = "1"
        assert scene.plan().changes == ()

    def test_a_new_link_gets_it_and_a_new_bridge_listens_to_no_pod(self) -> None:
        scene = Scene()
        for link in (WG, BRIDGE):
            scene.host.sysctls.values[f"net.ipv6.conf.{link}.disable_ipv6"] = "1"
            for key in ("accept_dad", "accept_ra"):
                scene.host.sysctls.values[f"net.ipv6.conf.{link}.{key}"] = "1"
        converged(scene)
        values = scene.host.sysctls.values
        assert values[f"net.ipv6.conf.{WG}.disable_ipv6"] == values[self.OFF] == "0"
        for key in ("accept_dad", "accept_ra"):
            assert values[f"net.ipv6.conf.{BRIDGE}.{key}"] == "0"
            assert values[f"net.ipv6.conf.{WG}.{key}"] == "1"

    def test_it_is_off_again_where_all_is_reverted(self) -> None:
        scene = converged()
        scene.host.sysctls.values[self.OFF] = "1"
        change_peer(scene, "node-b", persistent_keepalive=7)
        error = HostError("configure", WG, "no memory", 12)
        scene.host.faults.fail("wireguard.configure", 1, error)
        assert scene.converge().result is Result.REVERTED
        assert scene.host.sysctls.values[self.OFF] == "1"


def test_a_plan_follows_its_schema() -> None:
    scene = converged(Scene(userspace=True))
    for act in DAMAGE.values():
        act(scene)
    scene.host.network.add_route(route("10.244.5.0/24"))
    for plan in (Scene().plan(), scene.plan(), converged().plan()):
        assert violations(json.loads(dump(plan)), "plan") == ()


def test_the_schema_refuses_what_is_no_plan() -> None:
    document = json.loads(dump(Scene().plan()))
    document["changes"][0]["after"]["metric"] = "low"
    assert violations(document, "plan") != ()


def test_no_secret_is_in_anything_that_is_shown_or_stored() -> None:
    scene = Scene()
    outcome = scene.converge()
    change_peer(scene, "node-b", preshared_key="")
    shown = [
        repr(outcome),
        dump(outcome.plan).decode(),
        dump(scene.plan()).decode(),
        repr(scene.destroy()),
        "\n".join(scene.host.faults.writes),
        *(
            content.decode()
            for path, (content, _) in scene.host.files.items()
            if not is_secret(scene, path)
        ),
    ]
    secrets = [PRIVATE, *MASTERS.values(), *scene.vault._secrets.values()]
    for secret in secrets:
        for spelling in (secret.hex(), b64encode(secret).decode(), repr(secret)):
            assert all(spelling not in text for text in shown)
    assert len(secrets) > 5


def is_secret(scene: Scene, path: Path) -> bool:
    return path == scene.paths.private_key or path.parent == scene.paths.masters


def test_progress_is_told_before_each_step_and_at_the_end() -> None:
    from applier.converge import converge  # noqa: PLC0415 - the scene's has no progress

    scene = Scene()
    told: list[tuple[str, int, int]] = []

    def tell_progress(kind: str, done: int, total: int) -> None:
        told.append((kind, done, total))

    converge(
        scene.host, scene.resolved, vault=scene.vault, paths=scene.paths, progress=tell_progress
    )
    assert [kind for kind, _, _ in told] == [*(kind.name for kind in KINDS), ""]
    assert told[-1][1:] == (37, 37)


def test_renaming_the_device_frees_its_port_first() -> None:
    scene = converged()
    scene.resolved = resolve_host(build_inventory(interface="other0"))
    lines = tell(scene.plan().changes)
    assert lines[0] == (
        f"delete link {WG} (desired changed), disruptive: "
        "its peers, addresses and routes go with it"
    )
    assert lines[1] == "create link other0 (desired changed)"
    assert scene.converge().result is Result.CONVERGED


class TestBugs:
    def test_an_exception_of_ours_in_mid_apply_leaves_the_host_as_it_was(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scene = Scene()
        before = dump_ours(scene.host)

        def stumble(*_: object, **__: object) -> None:
            raise ZeroDivisionError("a bug")

        monkeypatch.setattr(scene.host.network, "add_address", stumble)
        with pytest.raises(ZeroDivisionError) as caught:
            scene.converge()

        assert caught.value.__notes__ == ["what had been changed on this host is put back"]
        assert [line for line in dump_ours(scene.host) if "attempted" not in line] == before


@pytest.mark.parametrize(
    ("key", "entry"),
    [
        ("../../etc/passwd", {"before": "1", "ours": "0"}),
        ("kernel.panic", {"before": "1", "ours": "0"}),
        ("kernel.panic", {"before": "1", "ours": "0", "because": "net.ipv4.ip_forward"}),
        (
            "net.ipv4.conf.../../x.forwarding",
            {"before": "1", "ours": "0", "because": "net.ipv4.ip_forward"},
        ),
    ],
)
def test_a_tampered_memory_makes_us_write_no_other_parameter(
    key: str, entry: dict[str, str]
) -> None:
    scene = converged()
    path = scene.paths.sysctls
    content, mode = scene.host.files[path]
    memory = json.loads(content) | {key: entry}
    scene.host.files[path] = (json.dumps(memory).encode(), mode)
    scene.host.sysctls.values[key] = "0"
    scene.destroy()

    assert scene.host.sysctls.values.get(key, "0") == "0"  # a link that is not there has none
