"""Desired state to canonical bytes, and bytes to desired state or all that is wrong with them."""

import json
from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final, TypeVar

import msgspec

from schemas.lines import Path, find_repeated, locate
from schemas.problems import Problem, Problems, spell_path
from schemas.state import API_VERSION, Documents, HostState, MeshState, ResolvedHost, Value
from schemas.validate import violations
from schemas.values import NodeName

_Document = TypeVar("_Document", MeshState, HostState, ResolvedHost)

MESH_FILE: Final = "mesh.json"
HOSTS_FOLDER: Final = "hosts"
"""What a state folder holds: the mesh's document, and a folder of the hosts'."""

_SCHEMAS: Final[dict[type[Value], str]] = {
    MeshState: "mesh-state",
    HostState: "host-state",
    ResolvedHost: "resolved-host",
}

_NAME_MAX: Final = 255
"""Bytes of a file's name on Linux (``limits.h``)."""
_TOO_DEEP: Final = b"\n" + b" " * 2 * 64
"""What only stands in canonical text where values are nested so deep. What walks documents calls
itself at every step down, and a CNI configuration may hold any JSON."""
_KEPT: Final = 233
"""Characters of a long node name that its file keeps: 255 less ``~``, 16 digits, ``.json``."""


def dump(value: Value) -> bytes:
    """Return the one spelling of a value: keys sorted, indented by two, a newline at the end."""
    return format_raw(value)


def digest(value: Value) -> str:
    """Return the SHA-256 of the canonical bytes, in hex."""
    return sha256(dump(value)).hexdigest()


def host_file_name(name: NodeName) -> str:
    """Return the name of a host's document: ``<node>.json``.

    Node names reach 253 characters, which leaves no room for the ending. A longer one is cut, and
    its hash keeps it apart from others that begin alike; ``~`` is in no node name.
    """
    plain = f"{name}.json"
    if len(plain) <= _NAME_MAX:
        return plain
    return f"{name[:_KEPT]}~{sha256(name.encode()).hexdigest()[:16]}.json"


def host_path(name: NodeName) -> str:
    """Return the path of a host's document in a state folder: ``hosts/node-a.json``."""
    return f"{HOSTS_FOLDER}/{host_file_name(name)}"


def list_documents(documents: Documents) -> dict[str, MeshState | HostState]:
    """Return every document of a state by its path in a state folder."""
    return {MESH_FILE: documents.mesh} | {
        host_path(name): host for name, host in documents.hosts.items()
    }


def load_mesh(content: bytes, file: str) -> MeshState:
    """Read ``mesh.json``.

    Raises:
        Problems: it is not JSON, another kind of document, or not as its schema says.

    """
    return _load(content, file, MeshState)


def load_host(content: bytes, file: str) -> HostState:
    """Read ``hosts/<node>.json``.

    Raises:
        Problems: it is not JSON, another kind of document, or not as its schema says.

    """
    return _load(content, file, HostState)


def load_resolved(content: bytes, file: str) -> ResolvedHost:
    """Read what ``wormhole show`` prints, and the applier remembers.

    Raises:
        Problems: it is not JSON, another kind of document, or not as its schema says.

    """
    return _load(content, file, ResolvedHost)


def read_raw(content: bytes, file: str, kind: str, schema: str) -> Any:  # noqa: ANN401 - JSON is anything
    """Return a document as JSON has it, once its kind and its shape are right.

    Raises:
        Problems: it is not JSON, another kind of document, not as its schema says, or says
            something twice.

    """
    raw = _parse(content, file)
    _check_kind(raw, file, kind)
    if found := violations(raw, schema):
        lines = dict(locate(content.decode()))
        raise Problems(
            Problem(
                file=file,
                line=_line_of(lines, violation.path),
                path=spell_path(violation.path),
                value=violation.value,
                rule=violation.rule,
            )
            for violation in found
        )
    canonical = format_raw(raw)
    if _TOO_DEEP in canonical:
        raise Problems.one("nested too deeply", file=file)
    # Bytes that are canonical repeat nothing; only others need the slow search.
    if canonical != content:
        _refuse_repeated(content.decode(), file)
    return raw


def format_raw(raw: Any) -> bytes:  # noqa: ANN401 - as above
    """Return the one spelling of what JSON can say: as :func:`dump` spells a value."""
    return msgspec.json.format(msgspec.json.encode(raw, order="sorted"), indent=2) + b"\n"


def _load(content: bytes, file: str, document: type[_Document]) -> _Document:
    raw = read_raw(content, file, document.__name__, _SCHEMAS[document])
    try:
        return msgspec.convert(raw, document)
    except msgspec.ValidationError as error:
        # JSON Schema calls 1.0 an integer; we write whole numbers without a point.
        raise Problems.one(f"not as documents are written: {error}", file=file) from None


def _parse(content: bytes, file: str) -> Any:  # noqa: ANN401 - JSON is anything
    try:
        return msgspec.json.decode(content)
    except RecursionError:
        raise Problems.one("nested too deeply", file=file) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problems([_syntax_problem(content, file, str(error))]) from None


def _syntax_problem(content: bytes, file: str, reason: str) -> Problem:
    """Say where JSON ends to be JSON; the standard library knows the line, msgspec does not."""
    if not content.strip():
        return Problem(file=file, rule="empty: expected a JSON document")
    try:
        json.loads(content)
    except json.JSONDecodeError as error:
        rule = f"not JSON: {error.msg[0].lower()}{error.msg[1:]} (column {error.colno})"
        return Problem(file=file, line=error.lineno, rule=rule)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Problem(file=file, line=line, rule="not JSON: not UTF-8")
    return Problem(file=file, rule=f"not JSON: {reason}")


def _check_kind(raw: Any, file: str, wanted: str) -> None:  # noqa: ANN401 - JSON is anything
    """Refuse another kind of document at once: all else that differs would be noise."""
    if not isinstance(raw, dict):
        raise Problems.one(f"must be a {wanted} document, not a bare value", file=file)
    expected = {"apiVersion": API_VERSION, "kind": wanted}
    wrong = [
        Problem(
            file=file,
            path=field,
            value=str(raw.get(field, "")),
            rule=f"must be {value!r} for this document",
        )
        for field, value in expected.items()
        if raw.get(field) != value
    ]
    if wrong:
        raise Problems(wrong)


def _refuse_repeated(text: str, file: str) -> None:
    repeated = [
        Problem(file=file, line=line, path=spell_path(path), rule="stands here a second time")
        for path, line in find_repeated(text)
    ]
    if repeated:
        raise Problems(repeated)


def _line_of(lines: dict[Path, int], path: Iterable[str | int]) -> int:
    """Return the line of a value, or of what it is missing from; 0 for the whole document."""
    steps = tuple(path)
    while steps and steps not in lines:
        steps = steps[:-1]
    return lines.get(steps, 0)
