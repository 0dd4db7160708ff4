"""Turn a command line into a call of one command, and its outcome into an exit code."""

import argparse
import gc
import io
import os
import sys
from collections.abc import Iterable, Sequence

from wormhole import __version__
from wormhole.commands import COMMANDS, describe_commands, load_command
from wormhole.console import ColorMode, err, out
from wormhole.debuglog import log_changes
from wormhole.exit import Exit
from wormhole.failure import explain_failure


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command line; return its exit code. Never raises, never prints a traceback."""
    _settle_streams()
    collecting = gc.isenabled()
    # A process this short ends before a collection would pay; a large inventory doubles in time.
    gc.disable()
    try:
        code = _run_command(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the one place that sees everything
        code = explain_failure(error)
        _drop_unwritten_output()
    finally:
        if collecting:
            gc.enable()
    return int(code)


def _run_command(argv: Sequence[str]) -> int:
    if not argv:
        out(describe_commands())
        return Exit.OK
    if not argv[0].startswith("-") and argv[0] not in COMMANDS:
        return _refuse_command(argv[0])
    parser = build_parser(_choose_commands(argv))
    try:
        arguments = parser.parse_args(argv)
    except SystemExit as ended:  # how argparse says "done" (0) and "not like that" (2)
        return int(ended.code or 0)
    command = arguments.command
    if command is None:
        parser.print_usage(sys.stderr)
        err("wormhole: name a command; 'wormhole' alone shows them all")
        return Exit.INPUT
    with log_changes():
        return load_command(command).run(arguments)


def _refuse_command(name: str) -> int:
    from schemas.wording import suggest  # noqa: PLC0415 - brings difflib

    hint = suggest(name, COMMANDS)
    err(f"wormhole: no command {name!r}{hint}; 'wormhole' alone shows them all")
    return Exit.INPUT


def _choose_commands(argv: Sequence[str]) -> Sequence[str]:
    """Return the commands that a command line may need: one, or none, or all to choose from."""
    if argv[0] in COMMANDS:
        return argv[:1]
    return () if argv[0] == "--version" else COMMANDS


class _CommandParser(argparse.ArgumentParser):
    """Refuses what it does not know by itself: argparse would show the usage of ``wormhole``."""

    def parse_known_args(  # type: ignore[override] # the base is overloaded for namespaces of any type
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        known, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return known, unknown


def build_parser(names: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """Build the parser of the command line, with these commands; usually one is all it takes."""
    parser = argparse.ArgumentParser(
        prog="wormhole",
        description="Compile a Kubernetes inventory into an encrypted overlay; converge hosts.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action="version",
        version=f"wormhole {__version__}",
        help="Print the version and leave.",
    )
    subparsers = parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", parser_class=_CommandParser
    )
    for name in names:
        command = load_command(name)
        subparser = subparsers.add_parser(
            name, help=command.SUMMARY, description=command.DESCRIPTION, allow_abbrev=False
        )
        command.configure(subparser)
        _add_global_options(subparser)
    return parser


def _add_global_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("how it reads")
    group.add_argument(
        "--color",
        choices=[str(mode) for mode in ColorMode],
        default=str(ColorMode.AUTO),
        help="Colour the output: auto does so on a terminal, unless NO_COLOR is set.",
    )
    group.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="Show what is otherwise summed up; WORMHOLE_DEBUG=1 logs each change to the host.",
    )


def _settle_streams() -> None:
    """Make the standard streams take whatever is written, also where a service closed them.

    Python has None for a stream that is closed at its start; and a path that is not in the
    locale's encoding must not end a command that has done its work.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - a device, for the process's life
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _drop_unwritten_output() -> None:
    """Let the interpreter's last flush succeed: what is left has no reader any more."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - a device, not a file of ours
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(run())
