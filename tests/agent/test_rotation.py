"""Keys change under traffic: pre-shared keys lose no packet, a private key heals by itself."""

from base64 import b64decode

import pytest
from lab.agreement import silent_pods
from lab.cluster import SECRET, ClusterLab
from lab.history import Change, Devices
from lab.mesh import expected_psk
from lab.talks import lost, talking
from lab.waiting import wait_until

from wormhole.cluster.api import MESH_NODES
from wormhole.psk.epochs import encode_master
from wormhole.psk.store import ROTATING_TO

pytestmark = pytest.mark.agent


def test_rotating_the_pre_shared_key_loses_no_packet(cluster: ClusterLab) -> None:
    one, other, third, fourth, *_ = cluster.joined
    before = Devices.of(cluster.joined)
    old = cluster.epoch()

    with talking((one, other), (third, fourth)) as talk:
        said = cluster.wormhole("psk", "rotate")
        cluster.await_peers()

    new = cluster.epoch()
    after = Devices.of(cluster.joined)
    assert new != old, said
    assert {*cluster.masters()} == {new}, said
    master = cluster.masters()[new]
    assert before.changes_until(after) == {
        Change(host=host, peer=key, what="preshared")
        for host, device in before.by_host.items()
        for key in device.peers
    }
    assert before.sessions_reset_until(after) == set()
    assert {
        (host, key): peer.preshared
        for host, device in after.by_host.items()
        for key, peer in device.peers.items()
    } == {
        (host, key): expected_psk(master, new, device.key, key)
        for host, device in after.by_host.items()
        for key in device.peers
    }
    assert lost(talk) == 0


def test_the_old_master_leaves_every_host(cluster: ClusterLab) -> None:
    epochs = {*cluster.masters()}

    def still_there() -> str:
        kept = {
            member.name: member.host.sh("ls /var/lib/wormhole/psk").split()
            for member in cluster.joined
        }
        wrong = {name: found for name, found in kept.items() if {*found} != epochs}
        return f"not exactly {epochs}: {wrong}" if wrong else ""

    wait_until(still_there, 30)


def test_what_a_stolen_token_puts_into_the_secret_comes_to_no_host(cluster: ClusterLab) -> None:
    """As without the admission policies: entries of masters that somebody knows, and a note."""
    entry = encode_master(b"\x66" * 32)
    planted = ("2099-12-31", *(f"flood-{number}" for number in range(70)))
    before = cluster.epoch()
    cluster.change(SECRET, {"data": dict.fromkeys(planted, entry)})
    forged = cluster.joined[0].name
    honest = cluster.status(forged)
    said_by_another = {"heldPresharedKeyEpochs": ["2099-12-31"], "desiredDigest": None}
    cluster.change(f"{MESH_NODES}/{forged}/status", {"status": said_by_another})

    def still_forged() -> str:
        now = cluster.status(forged)
        names = ("heldPresharedKeyEpochs", "desiredDigest")
        wrong = {name: now.get(name) for name in names if now.get(name) != honest[name]}
        return f"the forged status stands: {wrong}" if wrong else ""

    wait_until(still_forged, 30, every=1)
    held = {member.host.sh("ls /var/lib/wormhole/psk").strip() for member in cluster.joined}
    assert held == {before}
    cluster.change(SECRET, {"metadata": {"annotations": {ROTATING_TO: "2099-12-31"}}})
    said = str(cluster.wormhole("psk", "rotate", "--fresh"))
    assert cluster.epoch() not in {before, *planted}, said
    assert {*cluster.masters()} == {cluster.epoch()}, said
    assert b64decode(entry).decode().strip() not in cluster.masters().values()
    test_the_old_master_leaves_every_host(cluster)
    cluster.await_pods()


def test_a_private_key_that_was_rotated_on_one_host_heals_everywhere(cluster: ClusterLab) -> None:
    one, other, *_, rotated = cluster.joined
    before = rotated.device().key

    with talking((one, other)) as talk:
        rotated.host.wormhole("keygen", "--rotate", expect=0)
        wait_until(lambda: "the old key" if rotated.device().key == before else "", 30)
        seconds = cluster.await_peers(30)
        healed = wait_until(lambda: silent_pods(cluster.joined, patience=1), 30)

    print(f"new key everywhere in {seconds:.1f} s, pods {healed:.1f} s later")  # noqa: T201 - -s
    assert cluster.mesh_nodes()[rotated.name]["spec"]["publicKey"] == rotated.device().key
    assert lost(talk) == 0
