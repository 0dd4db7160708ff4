"""``wormhole schema``: the JSON Schemas, for editors and for programs of other people."""

import argparse
import json
from pathlib import Path
from typing import Final

from wormhole.console import out
from wormhole.exit import Exit

SUMMARY: Final = "Print the JSON Schemas of inventories and documents, or write them to a folder."
DESCRIPTION: Final = (
    "Without a name, list the schemas. With one, print it: it stands alone, and refers to no other"
    " file. inventory is the one for an editor: it knows every object of an inventory file."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "name", metavar="NAME", nargs="?", help="A schema, such as inventory, mesh or host-state."
    )
    parser.add_argument(
        "-o",
        "--output",
        metavar="DIR",
        type=Path,
        help="Write DIR/NAME.schema.json instead; without NAME, all of them.",
    )


def run(arguments: argparse.Namespace) -> int:
    """List, print or write."""
    from schemas.problems import Problems  # noqa: PLC0415 - brings the schemas' engine
    from schemas.standalone import build_standalone, list_schemas  # noqa: PLC0415

    names = list_schemas()
    if arguments.name is not None and arguments.name not in names:
        known = ", ".join(names)
        raise Problems.one(f"no such schema (known: {known})", value=arguments.name)
    if arguments.output is not None:
        return _write(arguments.output, (arguments.name,) if arguments.name else names)
    if arguments.name is not None:
        out(_spell(build_standalone(arguments.name)))
        return Exit.OK
    width = max(map(len, names))
    for name in names:
        out(f"{name:<{width}}  {build_standalone(name)['description']}")
    return Exit.OK


def _write(path: Path, names: tuple[str, ...]) -> int:
    from schemas.standalone import build_standalone  # noqa: PLC0415 - as above
    from wormhole.files.folder import Folder  # noqa: PLC0415
    from wormhole.remarks import count, show_path  # noqa: PLC0415

    with Folder.open(path) as folder:
        written = [
            folder.write_changed(
                f"{name}.schema.json", (_spell(build_standalone(name)) + "\n").encode()
            )
            for name in names
        ]
    unchanged = len(written) - sum(written)
    where = f"{count(len(names), 'schema')} in {show_path(path)}"
    out(f"ok: {where}: {sum(written)} written, {unchanged} unchanged")
    return Exit.OK


def _spell(schema: dict[str, object]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False)
