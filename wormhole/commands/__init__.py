"""The commands, in the order of the work. Adding one adds a module here and its name below."""

import argparse
from importlib import import_module
from typing import Final, Protocol, cast


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


COMMANDS: Final = tuple(name for _, names in _GROUPS for name in names)


def load_command(name: str) -> Command:
    """Import a command's module; importing all of them would take longer than most commands run."""
    module = import_module(f"{__name__}.{name.replace('-', '_')}")
    return cast("Command", module)


def describe_commands() -> str:
    """Return what ``wormhole`` alone says."""
    return _OVERVIEW.format(commands="\n\n".join(_list(title, names) for title, names in _GROUPS))


def _list(title: str, names: tuple[str, ...]) -> str:
    lines = (f"  {name:<13}{load_command(name).SUMMARY}" for name in names)
    return f"{title}:\n" + "\n".join(lines)


_OVERVIEW: Final = """\
wormhole compiles a Kubernetes inventory into an encrypted WireGuard overlay, as documents that
can be read and reviewed, and converges hosts to them.

{commands}

For example:
  wormhole keygen --node node-a --endpoint 192.0.2.1 > inventory/node-a.yaml
  wormhole validate inventory/
  wormhole compile inventory/ -o state/          # then commit state/ and have it reviewed
  wormhole plan state/                           # on the host: what would change, and why
  wormhole apply state/

'wormhole COMMAND --help' says more about one of them."""
