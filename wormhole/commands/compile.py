"""``wormhole compile``: an inventory becomes a state folder."""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from wormhole.console import err, out
from wormhole.exit import Exit

if TYPE_CHECKING:
    from schemas.problems import Problem
    from schemas.state import Documents
    from wormhole.git.committing import Target

SUMMARY: Final = "Turn an inventory into a state folder: a document per host."
DESCRIPTION: Final = (
    "Check an inventory and write the desired state of every host as documents. Only files that"
    " changed are written, and files of hosts that left are removed, so that a diff of the folder"
    " is the change. An inventory with a problem writes nothing."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "inventory",
        metavar="INVENTORY",
        nargs="+",
        help="A file, a folder of *.yaml, *.yml and *.json, or - for standard input.",
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="STATE",
        type=Path,
        required=True,
        help="The state folder to write: a new, an empty or an earlier one.",
    )
    parser.add_argument(
        "--render",
        metavar="DIR",
        type=Path,
        help="Also write each host's native text to DIR/NODE/, and remove that of hosts that left.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--check",
        action="store_true",
        help="Write nothing, and exit 1 when STATE, and DIR of --render, are not exactly what the"
        " inventory compiles to; names the files that differ, are missing or are surplus.",
    )
    what.add_argument(
        "--commit",
        action="store_true",
        help="Commit the state, and what --render wrote, in the git work tree that it lies in, with"
        " a message made from the difference; nothing else that is changed or staged there.",
    )


def run(arguments: argparse.Namespace) -> int:
    """Compile, write, say what was written, and commit it if asked to."""
    from compiler.compile import compile_mesh  # noqa: PLC0415 - only where an inventory is read
    from compiler.parse import parse  # noqa: PLC0415
    from wormhole.files.sources import read_sources  # noqa: PLC0415
    from wormhole.files.statefolder import write_state  # noqa: PLC0415
    from wormhole.remarks import count, say_warnings  # noqa: PLC0415

    _refuse_rendering_into_the_state(arguments)
    inventory = parse(read_sources(arguments.inventory))
    documents = compile_mesh(inventory)
    if arguments.check:
        say_warnings(inventory.warnings, arguments.color)
        return _check(arguments, documents)
    target = _choose_target(arguments, documents)
    result = write_state(arguments.output, documents.mesh, documents.hosts.values())
    say_warnings(inventory.warnings, arguments.color)
    say_warnings(_describe_kept(arguments, result.kept), arguments.color)
    _say_files("wrote", arguments.output, result.written, verbose=arguments.verbose)
    _say_files("removed", arguments.output, result.removed, verbose=arguments.verbose)
    rendered = _render(arguments, documents)
    out(
        f"ok: mesh {inventory.mesh.name}, {count(len(inventory.nodes), 'node')},"
        f" {count(len(inventory.warnings), 'warning')}:"
        f" {len(result.written)} written, {result.unchanged} unchanged,"
        f" {len(result.removed)} removed"
    )
    if target is not None:
        return _commit(target, documents, rendered, inventory.warnings, arguments.color)
    return Exit.OK


def _check(arguments: argparse.Namespace, documents: "Documents") -> int:
    from wormhole.files.disagreement import say_disagreement  # noqa: PLC0415 - as above
    from wormhole.files.rendering import compare_rendering  # noqa: PLC0415
    from wormhole.files.statecheck import compare_state  # noqa: PLC0415
    from wormhole.remarks import count, show_path  # noqa: PLC0415

    total = say_disagreement(arguments.output, compare_state(arguments.output, documents))
    folders = show_path(arguments.output)
    if arguments.render is not None:
        total += say_disagreement(arguments.render, compare_rendering(arguments.render, documents))
        folders += f" and {show_path(arguments.render)}"
    what = "what the inventory compiles to"
    if total:
        out(f"{count(total, 'file')}: {folders} {_be(arguments)} not {what}: compile, and commit")
        return Exit.CHANGES
    out(f"ok: {folders} {_be(arguments)} {what}, {count(len(documents.hosts), 'host')}")
    return Exit.OK


def _be(arguments: argparse.Namespace) -> str:
    return "is" if arguments.render is None else "are"


def _refuse_rendering_into_the_state(arguments: argparse.Namespace) -> None:
    from schemas.problems import Problems  # noqa: PLC0415 - brings msgspec, which --version does without

    if arguments.render is None:
        return
    state, rendered = arguments.output.resolve(), arguments.render.resolve()
    if rendered in (state, state / "hosts"):
        rule = "is the state's own: a host could be called like a file in it"
        raise Problems.one(rule, path="--render", value=str(arguments.render))


def _choose_target(arguments: argparse.Namespace, documents: "Documents") -> "Target | None":
    if not arguments.commit:
        return None
    from wormhole.git.committing import choose_target  # noqa: PLC0415 - brings git and the review

    return choose_target(arguments.output, arguments.render, documents)


def _render(arguments: argparse.Namespace, documents: "Documents") -> tuple[str, ...]:
    """Write native text if asked to; return the names of its files."""
    if arguments.render is None:
        return ()
    from schemas.problems import Problem  # noqa: PLC0415 - as above
    from wormhole.files.rendering import MANY_HOSTS, write_rendering  # noqa: PLC0415
    from wormhole.remarks import say_warnings  # noqa: PLC0415

    rendered = write_rendering(arguments.render, documents)
    number = len(documents.hosts)
    many = f"{number} hosts, and each one's text names all others: it grows with the square"
    rule = "not part of this rendering, and not ours: left where it is"
    remarks = [Problem(file=str(arguments.render), rule=many)] if number > MANY_HOSTS else []
    remarks += [
        Problem(file=str(arguments.render / each), rule=rule) for each in rendered.strangers
    ]
    say_warnings(remarks, arguments.color)
    _say_files("wrote", arguments.render, rendered.written, verbose=arguments.verbose)
    _say_files("removed", arguments.render, rendered.removed, verbose=arguments.verbose)
    return rendered.files


def _commit(
    target: "Target",
    documents: "Documents",
    rendered: tuple[str, ...],
    warnings: tuple["Problem", ...],
    color: str,
) -> int:
    from schemas.problems import neutralise  # noqa: PLC0415 - as above
    from wormhole.git.committing import commit_state, describe_oddities  # noqa: PLC0415
    from wormhole.git.process import GitError  # noqa: PLC0415
    from wormhole.remarks import say_warnings  # noqa: PLC0415

    try:
        made = commit_state(target, documents, rendered, warnings)
    except GitError as error:
        for line in filter(None, str(error).splitlines()):
            err(f"  {neutralise(line)}")
        err("wormhole: git did not commit, for the reason above; the files are written")
        return Exit.INPUT
    if made is None:
        out("nothing to commit: HEAD has this state already")
        return Exit.OK
    say_warnings(describe_oddities(target, made), color)
    branch = target.repository.branch or "a detached HEAD"
    out(f"committed {made.commit.id} on {neutralise(branch)}: {made.subject}")
    return Exit.OK


def _describe_kept(arguments: argparse.Namespace, paths: tuple[str, ...]) -> Iterator["Problem"]:
    from schemas.problems import Problem  # noqa: PLC0415 - brings msgspec, which --version does without

    for path in paths:
        rule = "the document of another mesh's host: left where it is"
        yield Problem(file=str(arguments.output / path), rule=rule)


def _say_files(verb: str, folder: Path, paths: tuple[str, ...], *, verbose: bool) -> None:
    from wormhole.remarks import say_files  # noqa: PLC0415 - as above

    say_files(verb, [folder / path for path in paths], verbose=verbose)
