"""Everything that can be done to a host by hand is named by plan, healed by apply, and spares
what belongs to others."""

import secrets
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from lab.damages import BR, DAMAGES, FIREWALL_DAMAGES, UNDO, WG, Damage
from lab.dumps import differences, foreign
from lab.foreigners import settle_foreigners
from lab.mesh import Mesh, place_master
from lab.network import Lab, LabHost
from lab.probes import answers_within

pytestmark = pytest.mark.kernel

EPOCH = "2026-11"


@dataclass(frozen=True, kw_only=True)
class Victim:
    """A converged host among foreign objects; a peer that it talks to, one that never woke up."""

    mesh: Mesh
    host: LabHost
    variant: str
    keys: dict[str, str]
    """Public keys by who has them: ``peer``, ``sleeper``, ``stranger``."""


@pytest.fixture(scope="module")
def victim(
    request: pytest.FixtureRequest,
    laboratory: type[Lab],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Victim]:
    variant = request.param
    mesh = Mesh(tmp_path_factory.mktemp("damage"), presharedKeyEpoch=EPOCH, iptablesVariant=variant)
    with laboratory() as lab:
        host, peer = lab.add_host("node-a"), lab.add_host("node-b")
        settle_foreigners(host, variant)
        master = b64encode(secrets.token_bytes(32)).decode()
        for member in (host, peer):
            place_master(member, EPOCH, master)
            mesh.join(member, [f"10.244.{member.number}.0/24", f"fd00:244:0:{member.number}::/64"])
        sleeper, stranger = (host.sh("wg genkey | wg pubkey").strip() for _ in range(2))
        mesh.nodes["node-c"] = {
            "publicKey": sleeper,
            "endpoint": "192.0.2.3:9806",
            "podCIDRs": ["10.244.3.0/24"],
        }
        mesh.compile(host)
        mesh.apply(host)
        mesh.apply(peer)
        keys = {"peer": mesh.nodes["node-b"]["publicKey"], "sleeper": sleeper, "stranger": stranger}
        yield Victim(mesh=mesh, host=host, variant=variant, keys=keys)


@pytest.mark.parametrize("victim", ["nft"], indirect=True)
@pytest.mark.parametrize("what", DAMAGES, ids=str)
def test_damage_is_named_and_healed(victim: Victim, what: Damage) -> None:
    damage_and_heal(victim, what, victim.keys)


@pytest.mark.parametrize("victim", ["nft", "legacy"], indirect=True)
@pytest.mark.parametrize("what", FIREWALL_DAMAGES, ids=str)
def test_a_firewall_damaged_in_both_families_is_named_and_healed(
    victim: Victim, what: Damage
) -> None:
    tools = [f"{family}-{victim.variant}" for family in ("iptables", "ip6tables")]

    damage_and_heal(victim, what, *({"ipt": tool, "tool": tool} for tool in tools))

    for tool in tools:
        victim.host.sh(UNDO.get(what.name, ":").format(ipt=tool))


def damage_and_heal(victim: Victim, what: Damage, *each: dict[str, str]) -> None:
    """Do the damage once with each set of names; see it named, healed, and nothing else touched."""
    mesh, host = victim.mesh, victim.host
    untouched = foreign(host)
    try:
        for names in each:
            host.sh(what.script.format(**names))
        before = foreign(host)
        named = {
            f"{change['action']} {change['kind']} {change['key']}"
            for change in mesh.plan_json(host)["changes"]
        }
    finally:
        healing = mesh.apply(host, expect=None)

    assert what.name in UNDO or differences(untouched, before) == "", "others were damaged, too"
    expected = {change.format(**names) for names in each for change in what.changes}
    assert expected == (named & expected if what.among_others else named)
    assert healing.code == 0, healing
    assert differences(before, foreign(host)) == ""
    outcome = mesh.plan(host)
    assert outcome.code == 0, outcome
    for address in ("10.244.2.1", "fd00:244:0:2::1"):
        assert answers_within(10, host, address)


@pytest.mark.parametrize("victim", ["nft"], indirect=True)
def test_a_killed_userspace_device_comes_back(victim: Victim) -> None:
    if victim.host.run("pgrep", "-x", "wireguard-go", check=False).returncode:
        pytest.skip("the kernel has WireGuard here: there is no process to kill")
    before = foreign(victim.host)

    victim.host.sh("kill -9 $(pgrep -x wireguard-go)")

    plan = victim.mesh.plan(victim.host)
    assert plan.code == 1, plan
    assert WG in plan.stdout
    victim.mesh.apply(victim.host)
    assert victim.mesh.plan(victim.host).code == 0
    assert answers_within(10, victim.host, "10.244.2.1")
    assert differences(before, foreign(victim.host)) == ""


@pytest.mark.parametrize("victim", ["nft"], indirect=True)
def test_an_endpoint_that_roamed_is_not_drift_and_status_says_so(victim: Victim) -> None:
    host, peer = victim.host, victim.keys["peer"]
    assert answers_within(10, host, "10.244.2.1")

    host.run("wg", "set", WG, "peer", peer, "endpoint", "192.0.2.99:9806")

    assert victim.mesh.plan(host).code == 0
    status = host.wormhole("status", expect=0)
    assert "roamed" in status.stdout
    assert "192.0.2.99:9806" in status.stdout
    host.run("wg", "set", WG, "peer", peer, "endpoint", "192.0.2.2:9806")


@pytest.mark.parametrize("victim", ["nft"], indirect=True)
@pytest.mark.parametrize(
    ("script", "undo", "words"),
    [
        pytest.param(
            "ip route add 10.244.9.0/24 dev other",
            "ip route delete 10.244.9.0/24 dev other",
            "10.244.9.0/24",
            id="route inside the overlay",
        ),
        pytest.param(
            "cp /etc/cni/net.d/10-wormhole.conflist /run/kept;"
            "sed s/wormhole/other/ /run/kept >/etc/cni/net.d/10-wormhole.conflist",
            "cp /run/kept /etc/cni/net.d/10-wormhole.conflist",
            "10-wormhole.conflist",
            id="CNI file of another network",
        ),
        pytest.param(
            f"ip link delete {BR}; ip link add {BR} group 7 type bridge",
            f"ip link delete {BR}",
            BR,
            id="bridge that somebody else made",
        ),
    ],
)
def test_a_foreign_object_in_the_way_is_a_conflict_and_left_alone(
    victim: Victim, script: str, undo: str, words: str
) -> None:
    host = victim.host
    host.sh(script)
    before = foreign(host, links=())

    plan = victim.mesh.plan(host)
    assert plan.code == 4, plan
    assert words in plan.stdout
    victim.mesh.apply(host, expect=4)

    assert {name: text for name, text in foreign(host, links=()).items() if name == "cni"} == {
        "cni": before["cni"]
    }
    host.sh(undo)
    victim.mesh.apply(host)
    assert victim.mesh.plan(host).code == 0
