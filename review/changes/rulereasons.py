"""Find the reason why a firewall rule comes or goes.

A rule follows from a change when the same rule stood there, or stands there, for another value:
another pod CIDR, another prefix of the overlay, another device. Rules without such a sibling are
nobody's consequence, and are told by themselves.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from review.changes.delta import Delta
from review.changes.meshreasons import explain_prefix
from review.changes.pair import MASQUERADING, Pair, View
from review.changes.pattern import Pattern
from review.changes.reason import Reason
from review.changes.review import Cause
from review.changes.wording import spell_rule
from schemas.state import Chain, Rule, Verdict
from schemas.values import Prefix, is_ipv6

_MULTICAST = frozenset({"224.0.0.0/4", "ff00::/8"})
"""Never translated; the rule that says so comes and goes with masquerading."""


def explain_chain(pair: Pair, family: str, delta: Delta) -> Reason:
    """Return why a whole chain comes or goes: mostly with an IP family of the overlay."""
    ipv6 = family == "ipv6"
    if pair.old.has_overlay(ipv6=ipv6) is not pair.new.has_overlay(ipv6=ipv6):
        return pair.overlay_reason
    chain: Chain = delta.value
    if (pair.new if delta.goes else pair.old).chain(family, chain.name) == chain:
        return Reason(Cause.FIREWALL, family, before=(), after=())  # it has another place
    rules = tuple(map(spell_rule, chain.rules))
    sides = (rules, None) if delta.goes else (None, rules)
    return Reason(Cause.FIREWALL, f"{family} {chain.name}", *sides)


def explain_rule(pair: Pair, family: str, index: int, delta: Delta) -> Reason | None:
    """Return why a rule comes or goes; None when no other change explains it."""
    name = pair.old.chains(family)[index].name
    rule: Rule = delta.value
    ours, theirs = (pair.old, pair.new) if delta.goes else (pair.new, pair.old)
    siblings = theirs.patterns(family, name)
    has_sibling = not siblings.isdisjoint(ours.values.patterns((rule,)))
    for pod_cidr, reason in _candidates(pair, rule, gone=delta.goes):
        alone = pod_cidr is not None and not theirs.has_pods(ipv6=is_ipv6(pod_cidr))
        if has_sibling or alone:
            return reason
    return _explain_translation(pair, rule, ours) if name == MASQUERADING else None


def explain_rest(pair: Pair, family: str, index: int, deltas: Iterable[Delta]) -> Reason:
    """Return how a chain differs apart from what is explained, so that hosts can share it."""
    lost: Counter[Rule] = Counter()
    gained: Counter[Rule] = Counter()
    for delta in deltas:
        (lost if delta.goes else gained)[delta.value] += 1
    old, new = pair.old.values, pair.new.values
    less, more = [*(lost - gained).elements()], [*(gained - lost).elements()]
    # The same words on both sides would tell nothing: there the values are what differs.
    both = {old.pattern(rule) for rule in less} & {new.pattern(rule) for rule in more}
    told = (
        tuple(sorted(_tell_rule(rule, values.pattern(rule), both) for rule in rules))
        for rules, values in ((less, old), (more, new))
    )
    return Reason(Cause.FIREWALL, f"{family} {pair.old.chains(family)[index].name}", *told)


def _tell_rule(rule: Rule, pattern: Pattern, exactly: Collection[Pattern]) -> str:
    return spell_rule(rule) if pattern in exactly else _spell(pattern)


def _candidates(pair: Pair, rule: Rule, *, gone: bool) -> Iterator[tuple[Prefix | None, Reason]]:
    """Yield the changes that a rule's values speak of, and the pod CIDR if it is one."""
    pods = pair.lost_pods if gone else pair.gained_pods
    overlay = pair.lost_overlay if gone else pair.gained_overlay
    named = [prefix for prefix in (rule.source, rule.destination) if prefix is not None]
    for prefix in named:
        if prefix in pods and (reason := explain_prefix(pair.frame, pair.name, prefix)):
            yield prefix, reason
    if any(prefix in overlay for prefix in named):
        yield None, pair.overlay_reason
    for cause, was, now in (
        (Cause.INTERFACE, pair.old.device, pair.new.device),
        (Cause.BRIDGE, pair.old.bridge, pair.new.bridge),
    ):
        if was != now and (was if gone else now) in {rule.input, rule.output}:
            yield None, Reason(cause, before=was, after=now)


def _explain_translation(pair: Pair, rule: Rule, ours: View) -> Reason | None:
    """Return why a rule about pods that leave the overlay comes or goes."""
    if rule.source not in ours.pods or rule.input or rule.output or rule.tcp_syn:
        return None
    old, new = pair.old, pair.new
    if old.masquerades is not new.masquerades and _is_of_masquerading(rule, ours):
        return Reason(Cause.MASQUERADE, before=_on_off(old), after=_on_off(new))
    lost, gained = old.exceptions - new.exceptions, new.exceptions - old.exceptions
    if rule.verdict is Verdict.RETURN and rule.destination in lost | gained:
        return Reason(Cause.EXCEPTIONS, before=_told(lost), after=_told(gained))
    return None


def _is_of_masquerading(rule: Rule, view: View) -> bool:
    if rule.verdict is Verdict.MASQUERADE:
        return rule.destination is None
    return rule.verdict is Verdict.RETURN and rule.destination in view.exceptions


def _on_off(view: View) -> str:
    return "on" if view.masquerades else "off"


def _told(prefixes: frozenset[Prefix]) -> tuple[str, ...]:
    return tuple(sorted(prefixes - _MULTICAST))


def _spell(pattern: Pattern) -> str:
    """Return a pattern in words: ``drop from a pod CIDR (why)``."""
    verdict, comment, tcp_syn, places = pattern
    words = [
        f"{word} {place[0] if isinstance(place, tuple) else place}"
        for word, place in zip(("in", "out", "from", "to"), places, strict=True)
        if place is not None
    ]
    return f"{' '.join([str(verdict), *words, *(['TCP SYN'] if tcp_syn else [])])} ({comment})"
