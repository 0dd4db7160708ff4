"""``wormhole psk``: the mesh's pre-shared keys are changed while it runs, or looked at."""

import argparse
import os
import shlex
from typing import TYPE_CHECKING, Final

from wormhole.console import err, out
from wormhole.exit import Exit
from wormhole.options import add_kubeconfig

if TYPE_CHECKING:
    from wormhole.cluster.api import Api
    from wormhole.psk.rotation import Rotation
    from wormhole.psk.survey import Survey
    from wormhole.psk.target import Target, Wishes

SUMMARY: Final = "Change the mesh's pre-shared keys while it runs, or show who holds which."
DESCRIPTION: Final = (
    "rotate: add a master secret under a new epoch to the cluster's Secret, wait until every node"
    " holds it, let the Mesh use it, wait until every node does, and remove the older ones. No"
    " packet is lost. What was done is kept in the cluster: interrupted anywhere, it goes on with"
    " the next run. On a mesh without pre-shared keys the same steps introduce them."
    " status: show which epochs there are, and who holds and uses them."
    " Run it from anywhere, with a kubeconfig that may read the cluster and write the Mesh and the"
    " Secret. Exit code 75: nodes did not get on in time; run it again."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "action", choices=["rotate", "status"], help="What to do: rotate the keys, or look at them."
    )
    add_kubeconfig(parser)
    parser.add_argument(
        "--namespace",
        metavar="NAME",
        default=os.environ.get("WORMHOLE_NAMESPACE") or "wormhole-system",
        help="Where the Secret wormhole-psk is (WORMHOLE_NAMESPACE; now %(default)s).",
    )
    _configure_rotate(parser.add_argument_group("with rotate"))


def _configure_rotate(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--epoch",
        metavar="NAME",
        help="The new epoch's name; without it the date in UTC, or the one that is under way.",
    )
    group.add_argument(
        "--fresh",
        action="store_true",
        help="Begin another rotation even if one is noted to be under way, and give that one up:"
        " for use after a node was taken over, which may have written the note.",
    )
    group.add_argument(
        "--without",
        metavar="NODE",
        nargs="+",
        action="extend",
        default=[],
        help="Do not wait for these nodes, such as one that is switched off: each loses its peers"
        " when the mesh changes, and has them again once its agent has caught up.",
    )
    group.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_parse_seconds,
        help="How long to wait for the nodes, in each of the two waits; without it 300, and more"
        " with more than 2,400 nodes.",
    )
    group.add_argument(
        "--switch",
        action=argparse.BooleanOptionalAction,
        help="Change the Mesh here even though it seems to be kept by git; or, with --no-switch,"
        " never: the line to change is printed, and the next run ends the rotation.",
    )
    group.add_argument(
        "--dry-run", action="store_true", help="Say what would be done, and change nothing."
    )


def run(arguments: argparse.Namespace) -> int:
    """Look, and unless that was all, rotate."""
    from wormhole.cluster.connection import connect  # noqa: PLC0415 - brings the client library

    _refuse_options_of_rotate(arguments)
    api = connect(arguments.kubeconfig)
    return _show_status(api, arguments) if arguments.action == "status" else _rotate(api, arguments)


def _show_status(api: "Api", arguments: argparse.Namespace) -> int:
    from wormhole.psk.survey import look  # noqa: PLC0415 - only who asks pays for it
    from wormhole.psk.words import describe_status  # noqa: PLC0415

    survey = look(api, arguments.namespace)
    out(describe_status(survey, arguments.namespace, verbose=arguments.verbose))
    return Exit.OK


def _rotate(api: "Api", arguments: argparse.Namespace) -> int:
    from wormhole.psk.patience import Patience, SystemClock  # noqa: PLC0415 - as above
    from wormhole.psk.rotation import Rotation  # noqa: PLC0415
    from wormhole.psk.survey import look  # noqa: PLC0415
    from wormhole.psk.target import choose_target  # noqa: PLC0415
    from wormhole.psk.words import describe_dry_run, describe_start  # noqa: PLC0415

    clock = SystemClock()
    survey = look(api, arguments.namespace)
    wishes = _wishes_from(arguments, len(survey.reports))
    target = choose_target(survey, wishes, clock.today())
    out(describe_start(survey, target))
    if arguments.dry_run:
        out(describe_dry_run(survey, target, arguments.namespace))
        return Exit.OK
    patience = Patience(api, arguments.namespace, wishes, clock, err)
    rotation = Rotation(api, arguments.namespace, wishes, patience, out)
    return _run_rotation(rotation, target, survey, arguments)


def _run_rotation(
    rotation: "Rotation", target: "Target", survey: "Survey", arguments: argparse.Namespace
) -> int:
    """Rotate; if that ends too early, say what is true now and what to run."""
    from wormhole.psk.patience import OverdueError  # noqa: PLC0415 - as above
    from wormhole.psk.rotation import Stage  # noqa: PLC0415

    try:
        rotation.run(target)
    except OverdueError as error:
        err(f"wormhole: {error}")
        _say_what_is_left(rotation, arguments)
        return Exit.TRY_AGAIN
    except BaseException:
        _say_what_is_left(rotation, arguments)
        raise
    if rotation.stage is Stage.DONE:
        out(f"Rotated: Mesh/{survey.mesh} uses epoch {target.epoch}.")
    else:
        out(f"Half done: Mesh/{survey.mesh} is to use {target.epoch}; then {_resume(arguments)}")
    return Exit.OK


def _say_what_is_left(rotation: "Rotation", arguments: argparse.Namespace) -> None:
    err(f"it is safe to leave it so: {rotation.stage.value}.")
    err(f"to go on: {_resume(arguments)}")


def _resume(arguments: argparse.Namespace) -> str:
    """Return the command that goes on from here."""
    words = ["wormhole", "psk", "rotate"]
    if arguments.kubeconfig:
        words += ["--kubeconfig", str(arguments.kubeconfig)]
    if arguments.namespace != "wormhole-system":
        words += ["--namespace", arguments.namespace]
    if arguments.without:
        words += ["--without", *arguments.without]
    if arguments.switch is not None:
        words.append("--switch" if arguments.switch else "--no-switch")
    return shlex.join(words)


def _wishes_from(arguments: argparse.Namespace, nodes: int) -> "Wishes":
    from wormhole.psk.patience import find_timeout  # noqa: PLC0415 - as above
    from wormhole.psk.target import Wishes  # noqa: PLC0415

    return Wishes(
        epoch=arguments.epoch or "",
        fresh=arguments.fresh,
        without=tuple(dict.fromkeys(arguments.without)),
        switch=arguments.switch,
        timeout=find_timeout(nodes) if arguments.timeout is None else arguments.timeout,
    )


def _refuse_options_of_rotate(arguments: argparse.Namespace) -> None:
    from schemas.problems import Problems  # noqa: PLC0415 - as above

    given = {
        "--epoch": arguments.epoch is not None,
        "--without": bool(arguments.without),
        "--timeout": arguments.timeout is not None,
        "--fresh": arguments.fresh,
        "--switch": arguments.switch is not None,
        "--dry-run": arguments.dry_run,
    }
    if arguments.action == "status" and any(given.values()):
        option = next(name for name, is_given in given.items() if is_given)
        raise Problems.one("goes with rotate; status only looks", path=option)


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError("must be a number of seconds, such as 300")
    return seconds
