"""The commands, in the order of the work. Adding one adds a module here and a line below."""

import argparse
from collections.abc import Mapping
from typing import Final, Protocol

from wormhole.commands import (
    agent,
    apply,
    check,
    confirm,
    destroy,
    diff,
    explain,
    graph,
    install_cni,
    inventory,
    keygen,
    plan,
    psk,
    render,
    report,
    schema,
    show,
    status,
    trace,
    validate,
)
from wormhole.commands import compile as compile_documents


class Command(Protocol):
    """What a command's module holds. Heavy imports belong inside ``run``."""

    SUMMARY: str
    """One line, for the list of commands."""
    DESCRIPTION: str
    """A short paragraph, for ``--help``."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's own arguments."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do the work; return an exit code. Exceptions are explained by the caller."""


COMMANDS: Final[Mapping[str, Command]] = {
    "keygen": keygen,
    "install-cni": install_cni,
    "validate": validate,
    "compile": compile_documents,
    "show": show,
    "render": render,
    "diff": diff,
    "check": check,
    "trace": trace,
    "explain": explain,
    "graph": graph,
    "report": report,
    "schema": schema,
    "plan": plan,
    "apply": apply,
    "confirm": confirm,
    "status": status,
    "destroy": destroy,
    "agent": agent,
    "psk": psk,
    "inventory": inventory,
}

_GROUPS: Final = (
    ("On each host, once", ("keygen", "install-cni")),
    (
        "Anywhere, from files",
        (
            "validate",
            "compile",
            "show",
            "render",
            "diff",
            "check",
            "trace",
            "explain",
            "graph",
            "report",
            "schema",
        ),
    ),
    ("On the host", ("plan", "apply", "confirm", "status", "destroy")),
    ("In a cluster", ("agent", "psk", "inventory")),
)


def _list_commands() -> str:
    return "\n\n".join(
        f"{title}:\n" + "\n".join(f"  {name:<13}{COMMANDS[name].SUMMARY}" for name in names)
        for title, names in _GROUPS
    )


OVERVIEW: Final = f"""\
wormhole compiles a Kubernetes inventory into an encrypted WireGuard overlay, as documents that
can be read and reviewed, and converges hosts to them.

{_list_commands()}

For example:
  wormhole keygen --node node-a --endpoint 192.0.2.1 > inventory/node-a.yaml
  wormhole validate inventory/
  wormhole compile inventory/ -o state/          # then commit state/ and have it reviewed
  wormhole plan state/                           # on the host: what would change, and why
  wormhole apply state/

'wormhole COMMAND --help' says more about one of them."""
