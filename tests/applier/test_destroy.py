"""Destroying: everything of ours goes, nothing else, in the reverse order."""

from itertools import groupby
from pathlib import Path

import pytest
from damage import CONFLIST, DAMAGE, void
from scenes import BRIDGE, MASTERS, WG, Scene, build_inventory, converged, dump_all, resolve_host

from applier.destroy import destroy, plan_destroy
from applier.errors import HostError, NotInstalled, Unsupported
from applier.fake import Killed
from applier.host import Link
from applier.outcome import Result
from applier.paths import Paths
from applier.plan import Action
from schemas.state import IptablesVariant


def test_removal_is_the_reverse_of_making_and_guards_go_last() -> None:
    scene = converged()
    plan = plan_destroy(scene.host, paths=scene.paths)

    assert [kind for kind, _ in groupby(change.kind for change in plan.changes)] == [
        "cni",
        "firewall",
        "link",
        "sysctl",
        "guard",
    ]
    assert {change.action for change in plan.changes} == {Action.DELETE}
    assert (plan.host, plan.digest) == ("node-a", "")
    assert scene.writes() == []


def test_what_the_kernel_removes_with_a_link_is_not_removed_one_by_one() -> None:
    scene = converged()
    assert scene.destroy().result is Result.CONVERGED
    doors = [write.split(" ")[0] for write in scene.writes()]
    assert doors == [
        *["remove_file"] * 2,
        *["iptables_restore"] * 2,
        "delete_link",
        "wireguard.delete",
        *("write_sysctl", "write_file", "write_sysctl", "write_sysctl", "remove_file"),
        *["delete_route"] * 2,
        "remove_file",
    ]


def test_keys_stay_unless_they_are_purged() -> None:
    scene = converged()
    secrets = {path for path, (_, mode) in scene.host.files.items() if mode == 0o600} - {
        scene.paths.applied,
        scene.paths.sysctls,
    }
    assert scene.destroy().result is Result.CONVERGED
    assert secrets <= set(scene.host.files)

    assert scene.destroy(purge=True).result is Result.CONVERGED
    assert secrets.isdisjoint(scene.host.files)


def test_a_bare_host_has_nothing_to_destroy() -> None:
    scene = Scene()
    assert scene.destroy().plan.changes == ()
    assert scene.writes() == []


def test_marks_are_enough_when_memory_is_lost() -> None:
    scene = converged()
    void(scene.host.files.pop(scene.paths.applied))
    assert scene.destroy().result is Result.CONVERGED
    assert dump_all(scene.host) == dump_all(Scene().host)


def test_names_of_the_users_choice_are_found_after_a_killed_first_apply() -> None:
    inventory = build_inventory(interface="tunnel0", bridge="pods0", cni_file_name="7.conflist")
    scene = Scene(resolve_host(inventory))
    scene.host.faults.kill_after(25)
    with pytest.raises(Killed):
        scene.converge()
    scene.host.faults.calm()
    assert {"tunnel0", "pods0"} <= set(scene.host.network.links)
    assert scene.paths.applied not in scene.host.files

    assert scene.destroy().result is Result.CONVERGED
    assert dump_all(scene.host) == dump_all(Scene().host)


def test_a_foreign_link_of_our_name_stays() -> None:
    scene = converged()
    DAMAGE["delete device"](scene)
    foreign = Link(name=WG, kind="veth", group=0, mtu=1500)
    scene.host.network.add_link(foreign)

    assert scene.destroy().result is Result.CONVERGED
    assert scene.host.network.links[WG] == foreign


def test_runtimes_lose_the_name_before_what_it_leads_to() -> None:
    scene = converged()
    scene.destroy()
    assert scene.writes()[:2] == [
        f"remove_file {scene.paths.cni / CONFLIST}",
        f"remove_file {scene.paths.configuration(CONFLIST)}",
    ]


def test_a_configuration_is_removed_by_who_sees_the_host_below_a_folder() -> None:
    scene = converged()
    below = Paths(run=Path("/host/run/wormhole"))
    host = scene.host
    host.files[below.configuration(CONFLIST)] = host.files.pop(scene.paths.configuration(CONFLIST))
    void(host.files.pop(scene.paths.applied))

    assert destroy(host, paths=below).result is Result.CONVERGED
    assert not [path for path in (*host.files, *host.symlinks) if path.name == CONFLIST]


def test_what_somebody_put_behind_our_name_stays_and_ours_goes() -> None:
    scene = converged()
    theirs = (b'{"name": "flannel"}', 0o644)
    void(scene.host.symlinks.pop(scene.paths.cni / CONFLIST))
    scene.host.files[scene.paths.cni / CONFLIST] = theirs

    assert scene.destroy().result is Result.CONVERGED
    assert scene.host.files[scene.paths.cni / CONFLIST] == theirs
    assert scene.paths.configuration(CONFLIST) not in scene.host.files


def test_what_somebody_wrote_through_our_link_stays() -> None:
    scene = converged()
    theirs = (b'{"name": "flannel"}', 0o644)
    scene.host.files[scene.paths.configuration(CONFLIST)] = theirs

    assert scene.destroy().result is Result.CONVERGED
    assert scene.host.read_file(scene.paths.cni / CONFLIST) == theirs[0]


def test_a_bridge_that_the_plugin_made_for_us_goes_as_ours_would() -> None:
    scene = converged()
    DAMAGE["unmarked bridge"](scene)
    assert scene.destroy().result is Result.CONVERGED
    assert dump_all(scene.host) == dump_all(Scene().host)


def test_a_bridge_without_a_mark_that_nobody_remembers_stays() -> None:
    scene = converged()
    DAMAGE["unmarked bridge"](scene)
    void(scene.host.files.pop(scene.paths.applied))
    assert scene.destroy().result is Result.CONVERGED
    assert BRIDGE in scene.host.network.links


def test_a_link_that_cannot_be_deleted_keeps_its_guards() -> None:
    scene = converged()
    earlier = dump_all(scene.host)
    scene.host.faults.fail("delete_link", 1, HostError("delete", BRIDGE, "busy", 16))
    outcome = scene.destroy()

    assert outcome.result is Result.REVERTED
    assert [(f.change.kind, f.reason) for f in outcome.failures if f.skipped] == [
        ("guard", "waits for link"),
        ("guard", "waits for link"),
    ]
    assert dump_all(scene.host) == earlier


def test_a_memory_of_sysctls_that_goes_meanwhile_leaves_them_as_they_are() -> None:
    scene = converged()
    outcome = destroy(
        scene.host,
        paths=scene.paths,
        announce=lambda _: void(scene.host.files.pop(scene.paths.sysctls)),
    )
    assert (outcome.result, outcome.failures) == (Result.CONVERGED, ())
    assert scene.host.sysctls.values["net.ipv4.ip_forward"] == "1"


def test_files_that_cannot_be_removed_are_told() -> None:
    scene = converged()
    scene.host.faults.fail("remove_file", 4, HostError("remove file", "x", "read-only", 30))
    outcome = scene.destroy()
    assert (outcome.result, outcome.trouble) == (
        Result.FILES_LEFT,
        ("files: remove file x: read-only (code 30)",),
    )


def test_a_key_that_cannot_be_purged_is_told_and_keeps_no_other() -> None:
    scene = converged()
    void(scene.destroy())
    scene.host.faults.fail("remove_file", 1, HostError("remove file", "x", "read-only", 30))
    outcome = scene.destroy(purge=True)
    assert (outcome.result, outcome.files_left, outcome.trouble) == (
        Result.FILES_LEFT,
        True,
        ("files: remove file x: read-only (code 30)",),
    )
    assert set(scene.host.files) & {scene.paths.private_key, *map(scene.paths.master, MASTERS)} == {
        scene.paths.master(min(MASTERS))
    }


def test_destroy_does_not_call_gone_what_it_cannot_see() -> None:
    scene = converged()
    scene.host.variants = ()
    earlier = dump_all(scene.host)

    with pytest.raises(Unsupported) as caught:
        scene.destroy()

    reason = "not installed any more, and chains of ours may be left that only it can see"
    assert str(caught.value) == f"find iptables: {reason}"
    assert dump_all(scene.host) == earlier


def test_destroy_does_not_call_gone_what_only_the_ipv6_tool_could_see() -> None:
    scene = converged()
    scene.host.uninstalled = {(variant, True) for variant in IptablesVariant}
    earlier = dump_all(scene.host)

    with pytest.raises(NotInstalled) as caught:
        scene.destroy()

    reason = "not installed any more, and chains of ours may be left that only it can see"
    assert str(caught.value) == f"find ip6tables: {reason}"
    assert dump_all(scene.host) == earlier


def test_destroy_misses_no_ipv6_tool_where_the_overlay_had_no_ipv6() -> None:
    scene = converged(Scene(resolve_host(build_inventory(overlays=("10.244.0.0/16",)))))
    scene.host.uninstalled = {(variant, True) for variant in IptablesVariant}
    assert scene.destroy().result is Result.CONVERGED


def test_destroy_believes_a_kernel_that_lacks_a_variant() -> None:
    scene = converged()
    scene.host.unsupported.add(IptablesVariant.LEGACY)
    assert scene.destroy().result is Result.CONVERGED


def test_a_host_without_iptables_that_never_was_ours_has_nothing_to_destroy() -> None:
    scene = Scene(installed=())
    assert not scene.destroy().plan.changes
