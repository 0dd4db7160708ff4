"""Counter-examples and contradictions to findings: each fault once, by its worst consequence."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from review.model.packet import Packet
from review.model.story import Place, Story
from review.proof.claim import Claim, Counterexample, Proof, Unfollowed
from schemas.document import HOSTS_FOLDER, MESH_FILE
from schemas.problems import Problem, spell_path
from schemas.wording import show
from wormhole.files.statetexts import StateTexts, look_up
from wormhole.formats.finding import Finding, Rule, Severity
from wormhole.formats.rules import build_finding, list_rules
from wormhole.remarks import count

_SHOWN: Final = 3
"""Consequences of a fault that are told; the others are counted."""

_RULES: Final = (
    Rule(id=Claim.PRIVACY, summary="No packet for the overlay leaves a host in clear"),
    Rule(id=Claim.IDENTITY, summary="Nobody speaks in another's name"),
    Rule(id=Claim.REACH, summary="Every pod and every host reaches every pod, through the tunnel"),
    _UNFOLLOWED := Rule(
        id="cannot-be-followed", summary="What documents say of packets can be followed"
    ),
)
_Topics = tuple[tuple[str, str], ...]

_QUOTED: Final = re.compile(r"'([^']+)'")
_ENTRY: Final = re.compile(r"peerGroups\.?[^.]+\.?([^.\[]+|\[\"[^]]+\"\])")
_HOST_TOPICS: Final[_Topics] = (
    (r"^wireguard\.publicKey$", "key"),
    (r"^wireguard\.addresses", "prefix"),
    (r"^routes", "routes"),
    (r"(^|\.)mtu$", "mtu"),
    (r"^(name|wireguard\.peerGroups.*)$", "membership"),
)
_MESH_TOPICS: Final[_Topics] = (
    (r"\.publicKey$", "key"),
    (r"\.endpoint$", "endpoint"),
    (r"allowedIPs", "prefix"),
    (r"^peerGroups[^.]*\.[^.]+$", "membership"),
)
_ORDER: Final = {claim: index for index, claim in enumerate(Claim)}


def list_check_rules() -> tuple[Rule, ...]:
    """Return every rule that a check's findings may name."""
    return (*_RULES, *list_rules())


def list_findings(
    proof: Proof, contradictions: Sequence[Problem], texts: StateTexts
) -> tuple[Finding, ...]:
    """Return a finding for each place at fault; what is known of it besides becomes its note."""
    faults = _gather(proof.counterexamples)
    left = list(contradictions)
    findings = []
    for examples in faults:
        place = examples[0].place
        same = [each for each in left if _is_about(each, place)]
        left = [each for each in left if each not in same]
        findings.append(_tell(examples, same, texts))
    findings += [_tell_unfollowed(each, texts) for each in proof.unfollowed]
    for problem in left:
        finding = build_finding(problem, Severity.ERROR)
        findings.append(_with_line(finding, problem, texts))
    return tuple(findings)


def _gather(examples: Sequence[Counterexample]) -> list[list[Counterexample]]:
    """Return the examples of each place, the worst first; the worst place first."""
    ordered = sorted(examples, key=lambda each: (each.failures, _ORDER[each.claim]))
    by_place: dict[Place, list[Counterexample]] = {}
    for each in ordered:
        by_place.setdefault(each.place, []).append(each)
    return list(by_place.values())


def _tell_unfollowed(odd: Unfollowed, texts: StateTexts) -> Finding:
    others = odd.hosts - 1
    like = f" ({count(others, 'more host')} like it)" if others else ""
    return Finding(
        severity=Severity.ERROR,
        file=texts.spell_file(odd.place.file),
        line=texts.line_of(odd.place),
        rule=_UNFOLLOWED.id,
        message=f"{_spell_subject(odd.place, texts)}: {odd.fault}{like}",
    )


def _spell_subject(place: Place, texts: StateTexts) -> str:
    path, value = spell_path(place.path), _show_value(texts, place)
    return " ".join(part for part in (path, repr(value) if value else "") if part)


def _tell(
    examples: Sequence[Counterexample], same: Sequence[Problem], texts: StateTexts
) -> Finding:
    worst = examples[0]
    subject = _spell_subject(worst.place, texts)
    return Finding(
        severity=Severity.ERROR,
        file=texts.spell_file(worst.place.file),
        line=texts.line_of(worst.place),
        rule=worst.claim,
        message=": ".join(part for part in (subject, worst.fault) if part),
        notes=tuple(_list_notes(examples, same)),
    )


def _show_value(texts: StateTexts, place: Place) -> str:
    """Return what stands there; empty for a list, a mapping, and for what is not there."""
    value = look_up(msgspec.json.decode(texts.read(place.file)), place.path)
    return "" if value is None or isinstance(value, dict | list) else show(value)


def _list_notes(examples: Sequence[Counterexample], same: Sequence[Problem]) -> Iterator[str]:
    worst = examples[0]
    yield _say_consequence(worst)
    yield f"for example {describe_packet(worst.story.packet)}: {worst.story.fate}"
    yield from describe_steps(worst.story)
    yield from worst.notes
    others = list(dict.fromkeys(_say_consequence(each) for each in examples[1:]))
    others = [each for each in others if each != _say_consequence(worst)]
    for other in others[:_SHOWN]:
        yield f"also: {other}"
    if len(others) > _SHOWN:
        yield f"and {len(others) - _SHOWN} more of this kind"
    for rule in dict.fromkeys(each.rule for each in same):
        yield f"it contradicts another line: {rule}"


def _say_consequence(example: Counterexample) -> str:
    when = f" when {example.situation}" if example.situation else ""
    return f"{example.subject}{when}{_say_others(example)}"


def _say_others(example: Counterexample) -> str:
    others = example.pairs - 1
    if not others:
        return ""
    noun = "pair" if example.claim is Claim.REACH else "case"
    return f" ({count(others, f'more {noun}')} like it)"


def describe_packet(packet: Packet) -> str:
    """Return ``ICMP from 10.244.0.10 to 10.244.1.10, 100 bytes``."""
    opening = ", opening a connection" if packet.tcp_syn else ""
    whole = ", not to be fragmented" if packet.dont_fragment else ""
    way = f"from {packet.source} to {packet.destination}"
    return f"{packet.protocol.upper()} {way}, {packet.size} bytes{opening}{whole}"


def describe_steps(story: Story) -> Iterator[str]:
    """Yield a line for each decision, aligned."""
    host = max((len(step.host) for step in story.steps), default=0)
    stage = max((len(step.stage) for step in story.steps), default=0)
    for step in story.steps:
        yield f"  {step.host:<{host}}  {step.stage:<{stage}}  {step.decision}"


def _is_about(problem: Problem, place: Place) -> bool:
    """Whether a contradiction and a counter-example speak of one fault: one topic, one host."""
    owners, topic = _topic_of(problem.file, problem.path)
    owners |= set(_QUOTED.findall(problem.rule))
    named, other = _topic_of(place.file, spell_path(place.path))
    return topic == other and (topic == "membership" or not owners.isdisjoint(named))


def _topic_of(file: str, path: str) -> tuple[set[str], str]:
    """Return whose document or entry a place is in, and what it is about."""
    if file != MESH_FILE:
        owner = file.removeprefix(f"{HOSTS_FOLDER}/").removesuffix(".json")
        topics: _Topics = _HOST_TOPICS
    else:
        found = _ENTRY.match(path)
        owner = found[1].strip('["]') if found else ""
        topics = _MESH_TOPICS
    return {owner}, next((topic for ends, topic in topics if re.search(ends, path)), path)


def _with_line(finding: Finding, problem: Problem, texts: StateTexts) -> Finding:
    line = texts.line_of_spelt(problem.file, problem.path)
    return replace(finding, file=texts.spell_file(problem.file), line=line)
