"""A plan's steps as states that can be walked: they begin with the old one and end with the new."""

from typing import Any

import pytest
from faults import FAULTS

from applier.diff import diff
from applier.plan import Change
from compiler.compile import compile_mesh
from compiler.parse import parse
from compiler.source import Source
from review.proof.moment import Moment
from review.proof.prove import prove
from schemas.resolve import resolve
from schemas.state import Documents, HostState, ResolvedHost
from schemas.values import NodeName
from wormhole.proof import rollout
from wormhole.proof.rollout import list_moments
from wormhole.proof.since import prove_rollout

TEXT = (FAULTS / "inventory.yaml").read_text()
NODE = NodeName("node-b")
CHANGES = {
    "nothing": ("demo", "demo"),
    "the overlay grows": ('"fd00:244::/48"]', '"fd00:244::/48", 10.250.0.0/16]'),
    "devices are renamed": (
        "spec:\n  overlay",
        "spec:\n  interface: tun0\n  bridge: br7\n  overlay",
    ),
    "the MTU shrinks": ("spec:\n  overlay", "spec:\n  underlayMTU: 1400\n  overlay"),
    "no masquerading": ("spec:\n  overlay", "spec:\n  masquerade: false\n  overlay"),
}


def documents_of(change: str = "nothing") -> Documents:
    before, after = CHANGES[change]
    assert before in TEXT
    return compile_mesh(parse((Source(name="mesh.yaml", text=TEXT.replace(before, after)),)))


def host_of(change: str = "nothing") -> ResolvedHost:
    documents = documents_of(change)
    return resolve(documents.mesh, documents.hosts[NODE])


def describe(host: HostState) -> dict[str, Any]:
    """Return what a moment knows of a host, in no order."""
    return {
        "routes": frozenset(host.routes),
        "chains": (frozenset(host.firewall.ipv4), frozenset(host.firewall.ipv6)),
        "addresses": frozenset((*host.wireguard.addresses, *host.bridge.addresses)),
        "links": (host.wireguard.interface, host.wireguard.mtu, host.bridge.interface),
        "sysctls": host.sysctls,
    }


@pytest.mark.parametrize("change", CHANGES)
def test_moments_begin_with_the_old_state_and_end_with_the_new(change: str) -> None:
    old, new = host_of(), host_of(change)
    moments: list[Moment] = list(list_moments(old, new))
    assert describe(moments[0].host) == describe(old.host)
    assert describe(moments[-1].host) == describe(new.host)
    links = {new.host.wireguard.interface, new.host.bridge.interface}
    assert links == moments[-1].up


@pytest.mark.parametrize("change", CHANGES)
def test_no_change_of_ours_leaks_on_its_way(change: str) -> None:
    old, new = documents_of(), documents_of(change)
    for before, after in ((old, new), (new, old)):
        assert prove_rollout(before, after, prove(after)).counterexamples == ()


def test_a_host_that_joins_comes_from_nothing() -> None:
    first = next(list_moments(None, host_of()))
    assert (first.host.routes, first.up, first.guarded) == ((), frozenset(), False)


def test_a_plan_in_the_wrong_order_is_seen_to_leak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guards and chains go first, then the tunnel, while pods are still there."""

    def guards_first(*given: Any) -> tuple[Change, ...]:  # noqa: ANN401 - whatever diff takes
        early = {"firewall", "guard"}
        return tuple(sorted(diff(*given), key=lambda c: (c.kind not in early, "-br0" in c.key)))

    monkeypatch.setattr(rollout, "diff", guards_first)
    old = documents_of()
    kept = {name: host for name, host in old.hosts.items() if name != NODE}
    new = Documents(mesh=old.mesh, hosts=kept)
    found = prove_rollout(old, new, prove(old)).counterexamples
    assert [each.subject for each in found] == ["packets for the overlay leave node-b in clear"]
