"""Status: what an operator sees of a live host."""

from damage import DAMAGE, change_peer, let_speak
from inventories import make_key
from scenes import PUBLIC, WG, Scene, converged

from applier.status import DeviceStatus, PeerStatus, Status, status


def status_of(scene: Scene) -> Status:
    return status(scene.host, scene.resolved, vault=scene.vault, paths=scene.paths)


def peer_of(scene: Scene, name: str) -> PeerStatus:
    return next(peer for peer in status_of(scene).peers if peer.name == name)


def test_a_converged_host_shows_its_device_and_no_drift() -> None:
    found = status_of(converged())
    assert found.device == DeviceStatus(
        name=WG,
        implementation="kernel",
        public_key=PUBLIC,
        listen_port=9806,
        up=True,
        mtu=1440,
    )
    assert [peer.name for peer in found.peers] == ["node-b", "node-c", "node-d"]
    assert found.drift is not None
    assert found.drift.changes == ()


def test_a_userspace_device_is_called_so() -> None:
    device = status_of(converged(Scene(userspace=True))).device
    assert device is not None
    assert device.implementation == "userspace"


def test_a_peer_shows_when_it_was_heard_and_how_much_was_said() -> None:
    scene = converged()
    change_peer(scene, "node-b", last_handshake=scene.host.clock - 7, received=10, sent=20)
    peer = peer_of(scene, "node-b")
    assert (peer.handshake_age, peer.received, peer.sent, peer.roamed) == (7, 10, 20, False)


def test_a_peer_that_was_never_heard_has_no_age() -> None:
    assert peer_of(converged(), "node-b").handshake_age is None


def test_a_peer_that_talks_from_elsewhere_has_roamed() -> None:
    scene = converged()
    let_speak(scene, "node-b", "198.51.100.7:4242", seconds_ago=274)
    peer = peer_of(scene, "node-b")
    assert (peer.endpoint, peer.configured_endpoint, peer.roamed) == (
        "198.51.100.7:4242",
        "192.0.2.2:9806",
        True,
    )


def test_a_peer_that_fell_silent_elsewhere_has_drifted() -> None:
    scene = converged()
    let_speak(scene, "node-b", "198.51.100.7:4242", seconds_ago=275)
    found = status_of(scene)
    assert not peer_of(scene, "node-b").roamed
    assert found.drift is not None
    assert [change.key for change in found.drift.changes] == ["node-b"]


def test_a_peer_without_a_configured_endpoint_cannot_roam() -> None:
    scene = converged()
    let_speak(scene, "node-d", "198.51.100.7:4242", seconds_ago=1)
    assert not peer_of(scene, "node-d").roamed


def test_a_stranger_has_no_name_and_comes_last() -> None:
    scene = converged()
    DAMAGE["strange peer"](scene)
    last = status_of(scene).peers[-1]
    assert (last.name, last.public_key) == (None, make_key("stranger"))


def test_without_a_document_the_last_applied_one_counts() -> None:
    scene = converged()
    found = status(scene.host, None, vault=scene.vault, paths=scene.paths)
    assert found == status_of(scene)


def test_a_host_that_was_never_applied_has_nothing_to_show() -> None:
    scene = Scene()
    assert status(scene.host, None, vault=scene.vault, paths=scene.paths) == Status(
        host="", device=None, peers=(), drift=None
    )


def test_without_memory_the_device_is_known_by_its_marks() -> None:
    scene = converged()
    let_speak(scene, "node-b", "198.51.100.7:4242", seconds_ago=1)
    before = status_of(scene)
    del scene.host.files[scene.paths.applied]
    found = status(scene.host, None, vault=scene.vault, paths=scene.paths)

    assert (found.host, found.device, found.drift) == ("", before.device, None)
    assert {peer.public_key for peer in found.peers} == {peer.public_key for peer in before.peers}
    assert {(peer.name, peer.configured_endpoint, peer.roamed) for peer in found.peers} == {
        (None, None, False)
    }


def test_links_and_device_are_read_once() -> None:
    scene = converged()
    scene.host.faults.calls.clear()
    status_of(scene)
    calls = scene.host.faults.calls
    assert (calls["links"], calls["wireguard.get"]) == (1, 1)


def test_a_dead_device_is_none() -> None:
    scene = converged(Scene(userspace=True))
    del scene.host.devices.devices[WG]
    found = status_of(scene)
    assert (found.device, found.peers) == (None, ())


def test_status_writes_nothing() -> None:
    scene = converged()
    status_of(scene)
    assert scene.writes() == []
