"""A saved plan on real hosts: applied; refused after drift, a new state, a boot, and elsewhere."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.dumps import differences, snapshot
from lab.mesh import Mesh, expected_psk, place_master
from lab.network import Lab, LabHost, Outcome
from lab.pods import Pod
from lab.probes import ping
from lab.reboot import reboot

pytestmark = pytest.mark.kernel

EPOCH = "2026-11"
MASTER = "bWFzdGVyIG9mIGFsbCB0aGF0IGlzIGxhYm9yYXRvcnk="
BOOT_ID = "/proc/sys/kernel/random/boot_id"
ANOTHER_BOOT = "12345678-9abc-4def-8123-456789abcdef"


@pytest.fixture
def lab(laboratory: type[Lab]) -> Iterator[Lab]:
    with laboratory() as lab:
        for name in ("node-a", "node-b"):
            host = lab.add_host(name)
            host.sh("rm -f /etc/machine-id; tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id")
        yield lab


@pytest.fixture
def mesh(lab: Lab, tmp_path: Path) -> Mesh:
    mesh = Mesh(tmp_path / "mesh", presharedKeyEpoch=EPOCH)
    for host in lab.hosts.values():
        place_master(host, EPOCH, MASTER)
        mesh.join(host, [f"10.244.{host.number}.0/24", f"fd00:244:0:{host.number}::/64"])
    mesh.compile(lab.hosts["node-a"])
    for host in lab.hosts.values():
        mesh.apply(host)
    return mesh


@pytest.fixture
def host(lab: Lab, mesh: Mesh) -> LabHost:
    assert mesh.nodes
    return lab.hosts["node-a"]


@pytest.fixture
def saved(mesh: Mesh, host: LabHost, tmp_path: Path) -> str:
    """Return a plan that gives node-a's peer a keepalive, and the bridge its MTU back."""
    mesh.spec["persistentKeepalive"] = 25
    mesh.compile(host)
    host.ip("link set wormhole-br0 mtu 1400")
    path = str(tmp_path / "node-a.plan.json")
    arguments = ("plan", str(mesh.state), "--host", "node-a", "--out", path)
    assert "2 to change" in host.wormhole(*arguments, expect=1).stdout
    return path


def refuse(host: LabHost, saved: str) -> Outcome:
    """Have the plan refused, and see that the host is not touched."""
    before = snapshot(host)
    outcome = host.wormhole("apply", saved, expect=5)
    assert differences(before, snapshot(host)) == ""
    assert outcome.stderr == ""
    return outcome


def body(outcome: Outcome) -> str:
    """Return what is said below the first line, which names a digest."""
    first, _, rest = outcome.stdout.partition("\n")
    assert first.startswith("Saved plan for node-a, towards desired state sha256:")
    assert first.endswith(": not carried out, plan again")
    return rest


def test_a_saved_plan_is_applied_and_pods_talk(
    lab: Lab, mesh: Mesh, host: LabHost, saved: str
) -> None:
    outcome = host.wormhole("apply", saved, expect=0)
    assert "Applied: 2 changes made; node-a matches its desired state sha256:" in outcome.stdout
    assert mesh.plan(host).code == 0
    again = host.wormhole("apply", saved, expect=0)
    assert again.stdout.startswith("No changes: node-a matches its desired state sha256:")
    with Pod(host, "pod-a") as one, Pod(lab.hosts["node-b"], "pod-b") as other:
        assert all(ping(one, address) for address in other.addresses)


def test_the_state_folder_is_not_needed_any_more(mesh: Mesh, host: LabHost, saved: str) -> None:
    mesh.state.rename(mesh.folder / "elsewhere")
    host.wormhole("apply", saved, expect=0)


def test_handshakes_and_traffic_meanwhile_are_nothing(lab: Lab, host: LabHost, saved: str) -> None:
    with Pod(host, "pod-a") as one, Pod(lab.hosts["node-b"], "pod-b") as other:
        assert all(ping(one, address) for address in other.addresses)
    host.wormhole("apply", saved, expect=0)


def test_after_drift_it_is_refused_and_says_what_drifted(host: LabHost, saved: str) -> None:
    host.ip(
        "link set wormhole-br0 mtu 1300",
        "route add 10.244.9.0/24 dev eth0",
        "route delete 10.244.0.0/16 proto 87 metric 1024",
        "address add 10.9.9.9/32 dev wormhole-br0",
    )
    host.sh(
        "wg set wormhole-wg0 peer $(wg show wormhole-wg0 peers) persistent-keepalive 11;"
        "iptables-nft -I WORMHOLE-FORWARD -j ACCEPT; sysctl -qw net.ipv6.conf.all.forwarding=0"
    )
    assert body(refuse(host, saved)) == (
        "\n"
        "kernel parameters\n"
        "  ~ changed   net.ipv6.conf.all.forwarding  1 -> 0\n"
        "\n"
        "links\n"
        "  ~ changed   wormhole-br0  mtu 1400 -> 1300\n"
        "\n"
        "peers\n"
        "  ~ changed   node-b  persistentKeepalive 0 -> 11\n"
        "\n"
        "addresses\n"
        "  + appeared  wormhole-br0 10.9.9.9/32\n"
        "\n"
        "routes\n"
        "  - is gone   10.244.0.0/16 metric 1024  device wormhole-wg0\n"
        "  + appeared  10.244.9.0/24 metric 0     a unicast route of protocol 3 on eth0 holds a"
        " part of the overlay and is not Wormhole's\n"
        "\n"
        "firewall\n"
        "  ~ changed   iptables-nft filter WORMHOLE-FORWARD\n"
        "        rules 1 added, 0 removed\n"
        "          + -j ACCEPT\n"
        "\n"
        "Refused: the saved plan for node-a is stale: 7 things differ; nothing was changed.\n"
    )


def test_after_a_new_state_it_is_refused(mesh: Mesh, host: LabHost, saved: str) -> None:
    mesh.spec["persistentKeepalive"] = 17
    mesh.compile(host)
    mesh.apply(host)
    first, second, *rest = body(refuse(host, saved)).splitlines()
    assert first.startswith("  applied last was desired state sha256:")
    assert "; now it is desired state sha256:" in first
    assert [second, *rest] == [
        "",
        "links",
        "  ~ changed   wormhole-br0  mtu 1400 -> 1440",
        "",
        "peers",
        "  ~ changed   node-b  persistentKeepalive 0 -> 17",
        "",
        "Refused: the saved plan for node-a is stale: 3 things differ; nothing was changed.",
    ]


def test_on_another_host_it_is_refused(lab: Lab, mesh: Mesh, saved: str) -> None:
    keys = {name: node["publicKey"] for name, node in mesh.nodes.items()}
    document = json.loads(Path(saved).read_text())
    outcome = refuse(lab.hosts["node-b"], saved)
    key, machine, *rest = body(outcome).splitlines()
    assert key == f"  made on a host with the key {keys['node-a']}; this one has {keys['node-b']}"
    assert machine.startswith(f"  made on the machine {document['host']['machine']}; this is ")
    assert rest == [
        "",
        "Refused: the saved plan for node-a is for another host; nothing was changed.",
    ]


def test_on_a_copy_of_its_host_it_is_refused(lab: Lab, host: LabHost, saved: str) -> None:
    """A machine that was cloned has the key too, but an id of its own."""
    private = host.sh("cat /var/lib/wormhole/private.key")
    copy = lab.hosts["node-b"]
    copy.run("sh", "-euc", "cat >/var/lib/wormhole/private.key", stdin=private)
    assert body(refuse(copy, saved)).splitlines()[-1] == (
        "Refused: the saved plan for node-a is for another host; nothing was changed."
    )


def test_after_a_boot_it_is_refused(host: LabHost, saved: str) -> None:
    boot = host.sh(f"cat {BOOT_ID}").strip()
    host.sh(f"echo {ANOTHER_BOOT} >/run/boot_id; mount --bind /run/boot_id {BOOT_ID}")
    assert body(refuse(host, saved)) == (
        f"  made in the boot {boot}; this is {ANOTHER_BOOT}\n"
        "\n"
        "Refused: the saved plan for node-a is stale: 1 thing differs; nothing was changed.\n"
    )


def test_after_a_boot_that_took_everything_it_is_refused(host: LabHost, saved: str) -> None:
    reboot(host)
    said = body(refuse(host, saved))
    assert "  - is gone   wormhole-wg0  kind tun, mtu 1440\n" in said
    assert said.endswith(" things differ; nothing was changed.\n")


def test_it_holds_no_secret_and_is_its_owners_alone(mesh: Mesh, host: LabHost, saved: str) -> None:
    content = Path(saved).read_text()
    one, other = (node["publicKey"] for node in mesh.nodes.values())
    private = host.sh("cat /var/lib/wormhole/private.key").strip()
    for secret in (private, MASTER, expected_psk(MASTER, EPOCH, one, other)):
        assert secret not in content
    assert Path(saved).stat().st_mode & 0o777 == 0o600


def test_an_apply_that_is_on_trial_may_be_of_a_saved_plan(
    mesh: Mesh, host: LabHost, saved: str
) -> None:
    outcome = host.wormhole("apply", saved, "--confirm", "60", expect=0)
    assert "Confirm within " in outcome.stdout
    host.wormhole("confirm", expect=0)
    assert mesh.plan(host).code == 0


def test_a_saved_plan_that_nobody_confirms_is_taken_back(
    mesh: Mesh, host: LabHost, saved: str
) -> None:
    host.wormhole("apply", saved, "--confirm", "3", expect=0)
    host.sh(
        "for n in $(seq 100); do test -e /var/lib/wormhole/pending.json || exit 0; sleep 0.1; done"
    )
    assert host.sh("cat /sys/class/net/wormhole-br0/mtu").strip() == "1400"
    assert mesh.plan(host).code == 1
