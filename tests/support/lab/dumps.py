"""Turn a host into text, section by section, so that before and after can be compared."""

import re
from collections.abc import Iterable, Mapping
from difflib import unified_diff
from typing import Final

from lab.network import LabHost

# Written where our marks are defined, too; repeated here on purpose: a test that took the
# marks from the code under test would not notice a mark that went missing.
_OUR_LINKS: Final = ("wormhole-wg0", "wormhole-br0")
_OUR_RULE: Final = re.compile(r"WORMHOLE-|wormhole:")
_OUR_ROUTE: Final = re.compile(r"\bproto (?:87|wormhole)\b")

_SECTIONS: Final = {
    "links": "ip -details link show",
    "addresses": "ip -oneline address show",
    "routes": "ip -details route show table all",
    "routes6": "ip -details -6 route show table all",
    "rules": "ip rule show; ip -6 rule show",
    "sysctls": "sysctl -a -r '^net[.](ipv[46][.](ip_forward|conf[.](all|default|eth0|lo)[.])"
    "|bridge[.])'",
    "nft": "nft -n list ruleset",
    "cni": "find /etc/cni ! -type d -printf '%p %l\\n' | sort |"
    ' while read -r f link; do echo "== $f $link"; cat "$f" || true; done',
    "run": "find /run -mindepth 1 ! -path '/run/netns*' ! -path '/run/mount*' | sort",
    "processes": "ps -e -o comm= | grep -E 'wireguard|boringtun' || true",
} | {
    # The legacy tools load their modules, and so their empty tables, merely by looking.
    f"{family}-{variant}": f"test ! -e /proc/net/{names}_names && [ {variant} = legacy ]"
    f" || {family}-{variant}-save"
    for family, names in (("iptables", "ip_tables"), ("ip6tables", "ip6_tables"))
    for variant in ("nft", "legacy")
}

# Forwarding is ours, and other sysctls follow from it, as the kernel's anycast routes do;
# processes and /run hold our daemon; what nft lists, iptables-save lists as well.
_FOREIGN_SECTIONS: Final = {
    name: command
    for name, command in _SECTIONS.items()
    if name not in {"sysctls", "processes", "run", "nft"}
} | {
    "links": "ip -oneline -details link show",
    "cni": "cd /etc/cni/net.d; for f in *; do [ $f = 10-wormhole.conflist ]"
    ' || { echo "== $f"; cat "$f"; }; done',
}

_VOLATILE: Final = tuple(
    (re.compile(pattern, re.MULTILINE), instead)
    for pattern, instead in (
        (r"^# (?:Generated|Completed).*\n", ""),  # says when
        (r"\[\d+:\d+\]", "[0:0]"),
        (r"\bcounter packets \d+ bytes \d+", "counter"),
        (r"\bexpires \d+sec\b", ""),
        (r" (?:hello|tcn|topology_change|gc)_timer\s+[\d.]+", ""),
        (r"\b(?:valid_lft|preferred_lft) \w+", ""),
        # Locks must not be removed, and the folders are empty, or WireGuard's.
        (
            r"^/run/(?:xtables\.lock|wireguard|wormhole|wormhole/lock|wormhole/agent\.lock|wormhole/watchdog\.lock|wormhole/cni)\n",
            "",
        ),
        # The tables' own chains, and the tables, appear at the first look and never go again.
        (r"^:\w+ ACCEPT \[0:0\]\n", ""),
        (r"^\*\w+\nCOMMIT\n", ""),
        (r"^\tchain \w+ \{\n\t\ttype [^\n]*policy accept;\n\t\}\n\n?", ""),
        (r"^\t\}\n\n\}", "\t}\n}"),
        (r"^table ip6? \w+ \{\n\}\n", ""),
        (r"[ \t]+$", ""),
    )
)


def snapshot(host: LabHost) -> dict[str, str]:
    """Return everything Wormhole could touch on a settled host, by section, less what ticks."""
    host.settle()
    return _dump(host, _SECTIONS)


def foreign(host: LabHost, links: Iterable[str] = _OUR_LINKS) -> dict[str, str]:
    """Return what is on a host and not marked as Wormhole's, by section."""
    names = tuple(links)
    seen = _dump(host, _FOREIGN_SECTIONS)
    return {name: _without_ours(text, names) for name, text in seen.items()}


def _dump(host: LabHost, commands: Mapping[str, str]) -> dict[str, str]:
    script = "\n".join(
        f"echo '=====' {name}; {{ {command}; }} 2>/dev/null || true"
        for name, command in commands.items()
    )
    sections: dict[str, str] = {}
    for part in host.sh(script).split("===== ")[1:]:
        name, _, text = part.partition("\n")
        for pattern, instead in _VOLATILE:
            text = pattern.sub(instead, text)
        sections[name] = text
    return sections


def _without_ours(text: str, links: tuple[str, ...]) -> str:
    return "".join(
        line
        for line in text.splitlines(keepends=True)
        if not _OUR_RULE.search(line)
        and not _OUR_ROUTE.search(line)
        and not line.startswith("anycast ")
        and not any(re.search(rf"(?<!\S){re.escape(name)}(?![\w-])", line) for name in links)
    )


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Return a unified diff of every section that is not the same; empty when all are."""
    lines: list[str] = []
    for name in sorted({*before, *after}):
        old, new = before.get(name, ""), after.get(name, "")
        lines += unified_diff(
            old.splitlines(), new.splitlines(), f"{name} before", f"{name} after", lineterm="", n=1
        )
    return "\n".join(lines)
