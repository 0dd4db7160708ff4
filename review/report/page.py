r"""What there is to say of a mesh to one HTML page: no clock, no network, the same bytes always.

The page may run one script, ours, by its hash, and load nothing (its Content-Security-Policy says
so to the browser). Whatever the documents hold is text there: escaped in HTML, and in the data
with ``<`` spelt ``\u003c``, so that no string ends a script element or begins a comment in it
(HTML, "restrictions for contents of script elements").
"""

from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from review.changes.review import Review
from review.changes.wording import count
from review.pictures.build import build_picture
from review.pictures.picture import SIGNS, Change, Picture
from review.pictures.svg import draw_svg
from review.pictures.words import describe, spell_fields
from review.proof.claim import Proof
from review.report.facts import find_contradictions, find_figures, find_warnings
from review.report.pack import pack
from schemas.problems import neutralise, spell_path
from schemas.state import Documents, Value

if TYPE_CHECKING:
    from jinja2 import Template

_DETAILS_SHOWN: Final = 3
_DETAILS_AT_MOST: Final = 100
_COUNTEREXAMPLES_AT_MOST: Final = 50
_UNFOLLOWED_AT_MOST: Final = 50
_UNSAFE: Final = (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"))


class Row(Value, frozen=True, kw_only=True):
    """A line of the table of hosts."""

    name: str
    anchor: str
    endpoint: str
    prefixes: tuple[str, ...]
    key: str
    sign: str = ""
    change: str = ""
    """What becomes of it."""
    notices: str = ""
    """What the change of the mesh does to it."""


class Comparison(Value, frozen=True, kw_only=True):
    """Another state of the mesh, and what changes from it."""

    old: Documents
    review: Review


def write_report(
    documents: Documents, comparison: Comparison | None = None, proof: Proof | None = None
) -> str:
    """Return the page, with a newline at its end."""
    picture = build_picture(documents, comparison.old if comparison else None)
    review = comparison.review if comparison else None
    contradictions = find_contradictions(documents)
    script = _read("report.js")
    return _load_template().render(
        mesh=documents.mesh.name,
        lead=describe(picture),
        figures=find_figures(documents, picture),
        warnings=find_warnings(documents, picture, contradictions),
        doubts=[*_list_doubts(proof, contradictions)] if proof else [],
        review=review,
        blast=_say_blast(review) if review else (),
        proof=proof,
        counterexamples=_COUNTEREXAMPLES_AT_MOST,
        details=_DETAILS_AT_MOST,
        shown=_DETAILS_SHOWN,
        unfollowed=_UNFOLLOWED_AT_MOST,
        picture=_mark_safe(draw_svg(picture, headed=False)),
        compared=picture.compared,
        rows=[*_list_rows(picture, documents, review)],
        policy=_spell_policy(script),
        style=_mark_safe(_read("report.css")),
        script=_mark_safe(script),
        data=_mark_safe(spell_data(pack(documents))),
    )


def spell_data(data: object) -> str:
    """Return JSON that may stand in a script element, whatever strings it holds."""
    text = msgspec.json.encode(data).decode()
    for found, written in _UNSAFE:
        text = text.replace(found, written)
    return text


def _list_doubts(proof: Proof, contradictions: tuple[str, ...]) -> Iterable[str]:
    """Yield why a mesh is not proven, in numbers: what ``check`` would find."""
    for number, noun in (
        (len(proof.counterexamples), "counter-example"),
        (len(proof.unfollowed), "place that cannot be followed"),
        (len(contradictions), "contradiction among the warnings"),
    ):
        if number:
            one, _, rest = noun.partition(" ")
            yield f"{count(number, one)} {rest}".strip()


def _say_blast(review: Review) -> list[tuple[str, str, str]]:
    """Return number, words and class of what a change reaches, where it reaches anything."""
    blast = review.blast
    hosts = f"of {count(blast.hosts, 'host')}"
    numbers = (
        (blast.joining, ("host joins", "hosts join"), "joins"),
        (blast.leaving, ("host leaves", "hosts leave"), "leaves"),
        (blast.touched, (f"{hosts} touched", f"{hosts} touched"), ""),
        (blast.hitless, ("without a hit", "without a hit"), "hitless"),
        (blast.session_drop, ("with a session drop", "with session drops"), "drop"),
        (blast.disruptive, ("disrupted", "disrupted"), "disruptive"),
        (blast.peers_added, ("peer added", "peers added"), ""),
        (blast.peers_removed, ("peer removed", "peers removed"), ""),
        (blast.sessions_reset, ("session reset", "sessions reset"), "drop"),
        (len(blast.prefixes_moved), ("prefix moves", "prefixes move"), ""),
        (blast.rules_added, ("rule added", "rules added"), ""),
        (blast.rules_removed, ("rule removed", "rules removed"), ""),
    )
    return [
        (f"{number:,}", one if number == 1 else many, kind)
        for number, (one, many), kind in numbers
        if number
    ]


def _list_rows(picture: Picture, documents: Documents, review: Review | None) -> Iterable[Row]:
    """Yield the hosts that have a document: those that leave are told of among the changes."""
    impacts = review.hosts if review else {}
    nodes = {node.name: node for node in picture.nodes}
    for name, host in documents.hosts.items():
        node = nodes[name]
        yield Row(
            name=name,
            anchor=quote(name, safe=""),
            endpoint=node.endpoint or "",
            prefixes=node.prefixes,
            key=host.wireguard.public_key,
            sign=SIGNS[node.change],
            change="" if node.change is Change.SAME else spell_fields(node),
            notices=str(impacts.get(name, "")),
        )


def _spell_policy(script: str) -> str:
    """Return the page's Content-Security-Policy: nothing from anywhere, one script by its hash."""
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
        f" form-action 'none'; script-src 'sha256-{digest}'"
    )


def _mark_safe(text: str) -> str:
    """Tell the template that this is HTML already: it is written here, nothing else may be."""
    from markupsafe import Markup  # noqa: PLC0415 - with jinja2

    return Markup(text)  # noqa: S704 - our own files, and what svg and spell_data have escaped


@cache
def _read(name: str) -> str:
    return (files("review.report") / "templates" / name).read_text(encoding="utf-8")


def _show(value: object) -> object:
    """Spell out what in a text would turn it round, or not be seen at all."""
    return neutralise(value) if type(value) is str else value


@cache
def _load_template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined  # noqa: PLC0415 - slow to import

    environment = Environment(
        loader=PackageLoader("review.report"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=_show,
    )
    environment.filters["spelt"] = spell_path
    environment.filters["some"] = lambda values, most: list(islice(values, most))
    return environment.get_template("report.html.j2")
