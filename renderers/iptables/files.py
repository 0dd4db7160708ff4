"""A host's firewall to files for ``iptables-restore``."""

from renderers.iptables.desired import write
from renderers.iptables.ruleset import Ruleset
from renderers.iptables.transactions import transaction
from renderers.template import render_template
from schemas.state import Chain, HostState


def render(host: HostState) -> dict[str, str]:
    """Write ``iptables.rules`` and ``ip6tables.rules``, for ``iptables-restore --noflush``.

    Both are always there, so that loading is the same on every host and a file of yesterday
    cannot stay behind: one of a family that the overlay does not use holds comments only.
    """
    return {
        "iptables.rules": _write_file(host, "IPv4", "iptables", host.firewall.ipv4),
        "ip6tables.rules": _write_file(host, "IPv6", "ip6tables", host.firewall.ipv6),
    }


def _write_file(host: HostState, family: str, tool: str, chains: tuple[Chain, ...]) -> str:
    values = {
        "host": host,
        "family": family,
        "tool": f"{tool}-restore",
        "file_name": f"{tool}.rules",
        "transaction": transaction(Ruleset(), write(chains)),
    }
    return render_template("iptables.rules", values)
