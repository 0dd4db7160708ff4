"""The options that several commands share, each with its one sentence."""

import argparse
import os
from pathlib import Path
from typing import Final

_DAY: Final = 86_400
"""Seconds."""


def add_state(
    parser: argparse.ArgumentParser, described: str = "The state folder that compile wrote."
) -> None:
    """Add STATE and --host: one host of a state folder."""
    parser.add_argument("state", metavar="STATE", type=Path, help=described)
    add_host(parser)


def add_state_or_plan(parser: argparse.ArgumentParser) -> None:
    """Add STATE and --host, where STATE may also be the file of a saved plan."""
    add_state(
        parser, "The state folder that compile wrote, or the file that 'wormhole plan --out' wrote."
    )


def add_any_state(parser: argparse.ArgumentParser) -> None:
    """Add STATE for a command that only reads: a folder, an inventory, or what git has."""
    parser.add_argument(
        "state", metavar="STATE", help="A state folder, an inventory, or REV:PATH in git."
    )


def add_host(parser: argparse._ActionsContainer) -> None:
    """Add --host."""
    parser.add_argument(
        "--host",
        metavar="NODE",
        help="The node's name; without it the state's only host, or the one named like this"
        " machine.",
    )


def add_kubeconfig(parser: argparse.ArgumentParser) -> None:
    """Add --kubeconfig, for a command that is run from anywhere."""
    parser.add_argument(
        "--kubeconfig",
        metavar="FILE",
        type=Path,
        help="How to reach the cluster; without it as kubectl does (KUBECONFIG, ~/.kube/config).",
    )


def add_data_dir(parser: argparse.ArgumentParser) -> None:
    """Add --data-dir: where the host keeps its keys and its memory."""
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        type=Path,
        default=_from_environment("WORMHOLE_DATA_DIR", "/var/lib/wormhole"),
        help="The folder with this host's keys (WORMHOLE_DATA_DIR; now %(default)s).",
    )


def add_cni_conf_dir(parser: argparse.ArgumentParser) -> None:
    """Add --cni-conf-dir: where the container runtime looks for its networks."""
    parser.add_argument(
        "--cni-conf-dir",
        metavar="DIR",
        type=Path,
        default=_from_environment("WORMHOLE_CNI_CONF_DIR", "/etc/cni/net.d"),
        help="The folder of CNI configurations (WORMHOLE_CNI_CONF_DIR; now %(default)s).",
    )


def add_host_folders(parser: argparse.ArgumentParser) -> None:
    """Add the three folders that a host's commands use."""
    add_data_dir(parser)
    add_cni_conf_dir(parser)
    parser.add_argument(
        "--run-dir",
        metavar="DIR",
        type=Path,
        default=_from_environment("WORMHOLE_RUN_DIR", "/run/wormhole"),
        help="The folder of the lock and run-time files (WORMHOLE_RUN_DIR; now %(default)s)."
        " The CNI configuration is in it: container runtimes must see it at the same path, and a"
        " boot must empty it.",
    )


def add_trial(parser: argparse.ArgumentParser) -> None:
    """Add --confirm and --again: an apply that goes back by itself, and one that did."""
    parser.add_argument(
        "--confirm",
        metavar="SECONDS",
        type=_seconds,
        help="Put the change on trial: unless 'wormhole confirm' is run within so many seconds (at"
        " most a day, counted from the first change on), the host goes back by itself, even if this"
        " terminal is gone.",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="Apply a state although it was taken back, because nobody confirmed it, and has not"
        " changed since.",
    )


def _seconds(text: str) -> int:
    seconds = int(text) if text.isascii() and text.isdecimal() else 0
    if not 1 <= seconds <= _DAY:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 to {_DAY}")
    return seconds


def add_json(parser: argparse.ArgumentParser, document: str) -> None:
    """Add --json: print a document in place of text."""
    parser.add_argument(
        "--json",
        action="store_true",
        help=f"Print the {document} document instead (schemas/{document}.schema.json).",
    )


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add --format: how findings are printed."""
    parser.add_argument(
        "--format",
        choices=["text", "json", "sarif", "github"],  # wormhole.formats.finding.Format
        default="text",
        help="How to print what was found: for people, as JSON (schemas/findings.schema.json), as"
        " SARIF 2.1.0, or as annotations of a GitHub workflow.",
    )


def _from_environment(variable: str, otherwise: str) -> Path:
    return Path(os.environ.get(variable) or otherwise)
