"""Turn the firewall in documents into one that is wrong somewhere, and that iptables can say."""

from collections.abc import Callable
from random import Random

from msgspec.structs import replace

from renderers.iptables import UnsupportedRule, write
from schemas.state import (
    Chain,
    Documents,
    Firewall,
    Hook,
    HostState,
    Position,
    Rule,
    Stage,
    Verdict,
)
from schemas.values import InterfaceName


def on_a_host(
    rng: Random, documents: Documents, change: Callable[[HostState], HostState | None]
) -> Documents | None:
    """Change the document of one host; None when there is nothing to change."""
    name = rng.choice(list(documents.hosts))
    changed = change(documents.hosts[name])
    if changed is None:
        return None
    return replace(documents, hosts={**documents.hosts, name: changed})


def _in_a_chain(
    rng: Random, documents: Documents, change: Callable[[Chain], Chain | None]
) -> Documents | None:
    """Change one chain of one family on one host; leave out what iptables could not express."""

    def edit(host: HostState) -> HostState | None:
        families = [field for field in ("ipv4", "ipv6") if getattr(host.firewall, field)]
        field = rng.choice(families)
        chains: tuple[Chain, ...] = getattr(host.firewall, field)
        index = rng.randrange(len(chains))
        changed = change(chains[index])
        if changed is None:
            return None
        chains = (*chains[:index], changed, *chains[index + 1 :])
        firewall: Firewall = replace(host.firewall, **{field: chains})
        return replace(host, firewall=firewall) if _is_supported(chains) else None

    return on_a_host(rng, documents, edit)


def _is_supported(chains: tuple[Chain, ...]) -> bool:
    try:
        write(chains)
    except UnsupportedRule:
        return False
    return True


def _in_a_rule(
    rng: Random, documents: Documents, change: Callable[[Rule], Rule | None]
) -> Documents | None:
    def edit(chain: Chain) -> Chain | None:
        if not chain.rules:
            return None
        index = rng.randrange(len(chain.rules))
        changed = change(chain.rules[index])
        if changed is None:
            return None
        return replace(chain, rules=(*chain.rules[:index], changed, *chain.rules[index + 1 :]))

    return _in_a_chain(rng, documents, edit)


def drop_rule(rng: Random, documents: Documents) -> Documents | None:
    """Remove a rule."""

    def edit(chain: Chain) -> Chain | None:
        if not chain.rules:
            return None
        index = rng.randrange(len(chain.rules))
        return replace(chain, rules=(*chain.rules[:index], *chain.rules[index + 1 :]))

    return _in_a_chain(rng, documents, edit)


def move_rule(rng: Random, documents: Documents) -> Documents | None:
    """Put a rule elsewhere in its chain."""

    def edit(chain: Chain) -> Chain | None:
        rules = list(chain.rules)
        if len(rules) < 2:
            return None
        rules.insert(rng.randrange(len(rules)), rules.pop(rng.randrange(len(rules))))
        return replace(chain, rules=tuple(rules))

    return _in_a_chain(rng, documents, edit)


def turn_verdict(rng: Random, documents: Documents) -> Documents | None:
    """Let a rule decide otherwise."""
    verdict = rng.choice(list(Verdict))
    return _in_a_rule(rng, documents, lambda rule: replace(rule, verdict=verdict))


def forget_match(rng: Random, documents: Documents) -> Documents | None:
    """Let a rule match more than it should."""
    field = rng.choice(["input", "output", "source", "destination"])
    return _in_a_rule(rng, documents, lambda rule: replace(rule, **{field: None}))


def swap_match(rng: Random, documents: Documents) -> Documents | None:
    """Let a rule compare source and destination the wrong way round."""
    return _in_a_rule(
        rng,
        documents,
        lambda rule: replace(rule, source=rule.destination, destination=rule.source),
    )


def match_other_device(rng: Random, documents: Documents) -> Documents | None:
    """Let a rule match the other device."""

    def edit(rule: Rule) -> Rule | None:
        devices = {"wormhole-wg0": "wormhole-br0", "wormhole-br0": "wormhole-wg0"}
        into, out = devices.get(rule.input or ""), devices.get(rule.output or "")
        return replace(
            rule,
            input=InterfaceName(into) if into else rule.input,
            output=InterfaceName(out) if out else rule.output,
        )

    return _in_a_rule(rng, documents, edit)


def match_segments_only(rng: Random, documents: Documents) -> Documents | None:
    """Let a rule match only TCP segments that open a connection."""
    return _in_a_rule(rng, documents, lambda rule: replace(rule, tcp_syn=True))


def hang_elsewhere(rng: Random, documents: Documents) -> Documents | None:
    """Hang a chain at other hooks."""
    hooks = tuple(sorted(rng.sample(list(Hook), rng.choice([1, 1, 2]))))
    return _in_a_chain(rng, documents, lambda chain: replace(chain, hooks=hooks))


def turn_position(rng: Random, documents: Documents) -> Documents | None:
    """Call a chain last instead of first, or first instead of last."""
    turned = {Position.FIRST: Position.LAST, Position.LAST: Position.FIRST}
    return _in_a_chain(
        rng, documents, lambda chain: replace(chain, position=turned[chain.position])
    )


def empty_chain(rng: Random, documents: Documents) -> Documents | None:
    """Leave a chain without rules."""
    return _in_a_chain(rng, documents, lambda chain: replace(chain, rules=()))


def move_chain(rng: Random, documents: Documents) -> Documents | None:
    """Put a chain into another table."""
    stage = rng.choice([Stage.MANGLE, Stage.FILTER])
    return _in_a_chain(rng, documents, lambda chain: replace(chain, stage=stage))
