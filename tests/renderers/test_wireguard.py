from msgspec.structs import replace

from renderers import wireguard
from schemas.state import ResolvedHost, ResolvedPeer
from schemas.values import Endpoint, NodeName, Prefix, PublicKey

PEER = ResolvedPeer(
    public_key=PublicKey("zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o="),
    allowed_ips=(Prefix("10.244.0.0/24"), Prefix("fd00:244:0:1::/64")),
    endpoint=Endpoint("[2001:db8::1]:9806"),
    persistent_keepalive=25,
)


def test_a_stanza_has_every_field() -> None:
    expected = """\

# node-a
[Peer]
PublicKey = zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o=
AllowedIPs = 10.244.0.0/24, fd00:244:0:1::/64
Endpoint = [2001:db8::1]:9806
PersistentKeepalive = 25
"""
    assert expected == wireguard.write_stanza(NodeName("node-a"), PEER)


def test_a_stanza_has_no_line_for_what_is_absent() -> None:
    peer = replace(PEER, endpoint=None, persistent_keepalive=0, allowed_ips=())
    expected = f"\n# node-a\n[Peer]\nPublicKey = {PEER.public_key}\n"
    assert expected == wireguard.write_stanza(NodeName("node-a"), peer)


def test_the_file_begins_with_the_device(resolved: ResolvedHost) -> None:
    expected = """\
# node-b, mesh demo: WireGuard
# load: wg set wormhole-wg0 private-key FILE, then wg addconf wormhole-wg0 wormhole-wg0.conf

[Interface]
ListenPort = 9806
stanza one, stanza two
"""
    files = wireguard.render(resolved.host, ["stanza one, ", "stanza two\n"])
    assert {"wormhole-wg0.conf": expected} == files


def test_the_file_says_that_pre_shared_keys_are_missing_in_it(resolved: ResolvedHost) -> None:
    device = replace(resolved.host.wireguard, preshared_key_epoch="2026-11")
    (text,) = wireguard.render(replace(resolved.host, wireguard=device), []).values()
    assert text.splitlines()[2] == (
        "# The pre-shared keys of epoch 2026-11 are secrets and not here: only apply sets them."
    )
