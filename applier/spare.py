"""A situation whose plan removes too much to one in which what would leave stays as it is. Pure."""

from collections.abc import Collection, Iterator, Mapping

from msgspec.structs import replace

from applier.kind import AnyKind, KindValue
from applier.kinds import KINDS
from applier.kinds.addresses import LinkAddress
from applier.kinds.firewall import FIREWALL
from applier.kinds.wireguard import PEERS, DevicePeer
from applier.situation import Situation
from schemas.values import Prefix, PublicKey


def find_known(
    situation: Situation, excused: Collection[PublicKey] = ()
) -> Iterator[tuple[AnyKind, str, KindValue]]:
    """Yield what is ours and was wanted at some time, but peers whose keys are excused.

    What nobody ever wanted, such as an address that somebody added to our bridge, is drift, however
    much of it there is. Chains always count: memory does not tell which variant of iptables was in
    use, so that a chain which is in the other one now may have been wanted.
    """
    last = situation.last
    for kind in KINDS:
        wanted = situation.desired.get(kind.name, {})
        before = (last or {}).get(kind.name, {})
        counts = {_identify(*item) for item in before.items()}
        content = situation.observed.get(kind.name)
        for key, value in content.owned.items() if content else ():
            if isinstance(value, DevicePeer) and value.public_key in excused:
                continue
            was_wanted = last is None or kind is FIREWALL or _identify(key, value) in counts
            if was_wanted or key in wanted:
                yield kind, key, value


def find_leaving(
    situation: Situation, excused: Collection[PublicKey] = ()
) -> Iterator[tuple[AnyKind, str, KindValue]]:
    """Yield what is known and wanted no more. What only moves to another place stays."""
    for kind, key, value in find_known(situation, excused):
        wanted = situation.desired.get(kind.name, {})
        if key not in wanted and kind.elsewhere(key) not in wanted:
            yield kind, key, value


def _identify(key: str, value: KindValue) -> str:
    """Name an object as long as it lives: a peer's name tells its device when that is renamed."""
    return value.public_key if isinstance(value, DevicePeer) else key


def spare(situation: Situation, excused: Collection[PublicKey] = ()) -> Situation | None:
    """Return the same situation, but what would leave is wanted too, as it is observed.

    None when something that is wanted cannot be there beside it: a renamed device wants the port of
    the old one, and who is given another's prefix takes its packets away.
    """
    wanted = situation.desired
    last = situation.last or {}
    kept: dict[str, dict[str, KindValue]] = {kind.name: {} for kind in KINDS}
    held: set[str] = set()
    for kind, key, value in find_leaving(situation, excused):
        kept[kind.name][key] = value
        held |= _claims(kind, last.get(kind.name, {}).get(key, value))
    if not held.isdisjoint(_all_claims(wanted)):
        return None
    desired = {name: {**wanted.get(name, {}), **values} for name, values in kept.items()}
    desired[PEERS.name] |= _give_back(kept[PEERS.name], wanted.get(PEERS.name, {}))
    return replace(situation, desired=desired)


def _all_claims(wanted: Mapping[str, Mapping[str, KindValue]]) -> set[str]:
    values = ((kind, value) for kind in KINDS for value in wanted.get(kind.name, {}).values())
    return {claim for kind, value in values for claim in _claims(kind, value)}


def _claims(kind: AnyKind, value: KindValue) -> set[str]:
    """Name what two objects of ours cannot both have, at least not to any use."""
    match value:
        case DevicePeer():
            return {f"prefix {prefix} on {value.device}" for prefix in value.allowed_ips}
        case LinkAddress():
            return {f"address {value.address}"}
        case _:
            claim = kind.claim(value)
            return {f"{kind.name} {claim}"} if claim else set()


def _give_back(
    kept: Mapping[str, DevicePeer], wanted: Mapping[str, DevicePeer]
) -> dict[str, DevicePeer]:
    """Take from peers that stay what is another's by the documents: somebody moved it there."""
    owners: set[tuple[str, Prefix]] = {
        (peer.device, prefix) for peer in wanted.values() for prefix in peer.allowed_ips
    }
    return {
        key: replace(
            peer,
            allowed_ips=tuple(
                each for each in peer.allowed_ips if (peer.device, each) not in owners
            ),
        )
        for key, peer in kept.items()
    }
