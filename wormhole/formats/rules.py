"""Find the rule that a problem's sentence means: ids stay though sentences get better.

Checks say what is wrong in words made for the case, in four rooms. The ids are given here, in one
table, so that no check has to know who filters by them; tests hold the table to every sentence that
the fixtures provoke.
"""

import re
from functools import cache
from typing import Final

from schemas.problems import Problem
from wormhole.formats.finding import Finding, Rule, Severity

_TABLE: Final = (
    ("secret", "No secret belongs in an inventory", "no secret belongs"),
    (
        "syntax",
        "Inventories and documents are readable YAML or JSON",
        "^(is )?not (YAML|JSON|UTF-8|text)",
        "given twice in the same mapping",
        "nested (too deep|more than)",
        "^(the alias|its aliases|the tag) ",
        "cannot be a key",
        "^not as documents",
        "^empty: expected",
    ),
    (
        "unreadable",
        "What is named can be read",
        "^cannot (read|open)",
        "^no .*file in this folder",
        "^not a state folder",
        "^no such host",
    ),
    ("unknown-field", "An object has only fields that there are", "^unknown field"),
    ("missing-field", "An object has every field that it needs", "^required field is missing"),
    (
        "unknown-kind",
        "Objects of our group are of a kind and version that there is",
        "^is no kind of",
        "^is a version that",
        "^must be a Kubernetes object",
        r"^must be a \w+ document",
        "for this document$",
        ": skipped, as",
        "^external peers come",
    ),
    (
        "no-mesh",
        "An inventory has a Mesh, and a mesh has members",
        r"^there is no (Mesh|MeshNode)\b",
        "^the inventory is empty",
        "^no MeshNode has a Node",
    ),
    (
        "duplicate-object",
        "There is one object of a name, and one Mesh",
        r" has a \w+ of this name already",
        "^an inventory has exactly one Mesh",
    ),
    ("left-out", "Nothing is left out of the mesh", "left out"),
    ("weak-key", "A public key is one that a host can have", "nobody's key"),
    (
        "shared-key",
        "A key has one host, which its peers know by it",
        "^is the public key of",
        "^its peers know it by another key",
    ),
    ("shared-endpoint", "An endpoint has one host", "^is the endpoint of"),
    (
        "duplicate-value",
        "No two peers, routes or chains have the same identity",
        "^peer .* has the same$",
        "^a second (route|chain)",
        "^joined twice",
        "the same item twice",
    ),
    ("host-bits", "A prefix has no host bits set", "^has host bits set"),
    (
        "overlay-prefix",
        "Overlay CIDRs are apart, and apart from what hosts need",
        "overlay CIDRs must not overlap",
        "which every host needs",
        "^holds every address",
    ),
    (
        "outside-overlay",
        "Pod CIDRs lie inside the overlay",
        "^is outside every overlay",
        "^is wider than overlay",
        "^is outside the pod CIDRs",
    ),
    ("overlapping-prefixes", "No two prefixes overlap", "^overlaps ", "^is listed twice"),
    ("pod-room", "A pod CIDR has room for a pod", "^is too small for a pod"),
    ("endpoint-in-overlay", "An endpoint lies outside the overlay", "^is inside overlay CIDR"),
    (
        "unreachable-endpoint",
        "Other nodes can reach an endpoint",
        "other nodes cannot reach this one there",
        "^must be an IP address, not a name",
    ),
    ("no-endpoint", "A node has an endpoint, or speaks first", "^has no endpoint"),
    ("missing-family", "A node has pod CIDRs of each overlay family", "^has no IPv[46] pod"),
    ("unreachable-nodes", "Pods reach the nodes' own addresses", "^is false: pods cannot reach"),
    (
        "mtu",
        "What is left of the MTU carries each family, and is the same everywhere",
        "bytes inside the tunnel",
        "underlay MTUs differ",
        "for IPv6$",
        "^must not exceed the WireGuard",
    ),
    (
        "same-device",
        "The bridge and the WireGuard device are two",
        "they are two devices",
        "^must differ from the WireGuard",
    ),
    (
        "guard-route",
        "Overlay prefixes have a guard route, which outlives the device",
        "^needs an unreachable route",
        "a guard is known by it",
        "^an unreachable route has no device",
    ),
    (
        "wrong-mesh",
        "The documents of one folder belong together",
        "^the mesh document is",
        "^no such peer group",
        "^a peer without a document",
        "belongs in ",
        "holds another host",
        "another mesh",
    ),
    (
        "foreign-address",
        "A host's addresses are inside its own allowed IPs",
        "^outside its own allowed IPs",
    ),
    ("not-canonical", "Documents are written in canonical form", "^must be (written|sorted)"),
)
_OTHERWISE: Final = Rule(id="invalid-value", summary="A field's value is one that it may have")
_REMARK: Final = Rule(id="remark", summary="What works is meant so")


@cache
def _patterns() -> tuple[tuple[Rule, re.Pattern[str]], ...]:
    return tuple(
        (Rule(id=name, summary=summary), re.compile("|".join(patterns)))
        for name, summary, *patterns in _TABLE
    )


def list_rules() -> tuple[Rule, ...]:
    """Return every rule that :func:`find_rule` knows."""
    return (*(rule for rule, _ in _patterns()), _OTHERWISE, _REMARK)


def find_rule(problem: Problem, severity: Severity) -> Rule:
    """Return the rule that a problem breaks."""
    for rule, pattern in _patterns():
        if pattern.search(problem.rule):
            return rule
    return _OTHERWISE if severity is Severity.ERROR else _REMARK


def build_finding(problem: Problem, severity: Severity) -> Finding:
    """Turn a problem, or a warning, into a finding."""
    subject = " ".join(part for part in (problem.object, problem.path) if part)
    shown = f" {problem.value!r}" if problem.value else ""
    parts = (f"{subject}{shown}".strip(), problem.rule)
    return Finding(
        severity=severity,
        file=problem.file,
        line=problem.line,
        rule=find_rule(problem, severity).id,
        message=": ".join(part for part in parts if part),
    )
