"""What the documentation names is there: files, metrics, reasons, fields, objects, links."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
from pages import PAGES, ROOT, first_column, headings, links, read_page, section, spans

SOURCES = ("wormhole", "applier", "compiler", "renderers", "schemas", "deploy", "tools")
FOLDERS = (*SOURCES, "docs", "tests", "fixtures", "bench")
OTHERS = {
    "WORMHOLE-ANTISPOOFING",  # a chain of the Wormhole of 2019
    "wormhole-mesh-0",  # the file that an image is saved to
    "wormhole-destroy",  # a container by hand
}
"""Names that are not ours, or the reader's."""


@cache
def source() -> str:
    """Return all that the product is made of, tests and documentation apart."""
    files = [
        path
        for folder in SOURCES
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
        and path.suffix in {".py", ".json", ".yaml", ".yml", ".sh", ".service", ""}
    ]
    files += [ROOT / name for name in ("pyproject.toml", "Makefile", ".pre-commit-hooks.yaml")]
    return "\n".join(path.read_text(encoding="utf-8", errors="ignore") for path in files)


def documented_metrics() -> set[str]:
    """Return the metrics that docs/metrics.md lists; other tests hold that list to the code."""
    return {*re.findall(r"^\| `(wormhole_\w+)", read_page("docs/metrics.md"), re.MULTILINE)}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        wanted = {anchor} if anchor else set()
        if not target.exists() or wanted - headings(str(target.resolve().relative_to(ROOT))):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_every_path_is_there(page: str) -> None:
    named = re.findall(rf"(?<![\w/.~-])((?:{'|'.join(FOLDERS)})/[\w./*-]*)", read_page(page))
    paths = {path.rstrip(".") for path in named}
    assert {path for path in paths if not [*ROOT.glob(path)]} == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_metric_is_documented(page: str) -> None:
    named = {*re.findall(r"wormhole_[a-z_]+[a-z](?!\*|[a-z_])", read_page(page))}
    assert named - documented_metrics() == set()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    "pattern",
    [
        r"(?<![\w./-])wormhole-[a-z0-9]+(?:-[a-z0-9]+)*",
        r"wormhole\.dev/[a-z0-9-]*[a-z0-9]",
        r"WORMHOLE_[A-Z_]*[A-Z]",
    ],
    ids=["names", "annotations", "environment"],
)
def test_every_name_occurs_in_the_product(page: str, pattern: str) -> None:
    named = {*re.findall(pattern, read_page(page))}
    assert {name for name in named - OTHERS if name not in source()} == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_chain_is_one_of_ours(page: str) -> None:
    names = re.findall(r'name="(\w+)",', (ROOT / "compiler/firewall.py").read_text())
    ours = {f"WORMHOLE-{name.upper()}" for name in names}
    assert {*re.findall(r"WORMHOLE-[A-Z]+", read_page(page))} - OTHERS <= ours


def mentioned_reasons(text: str) -> set[str]:
    """Return the words in CamelCase that a text's tables begin with."""
    return {word for word in first_column(text) if re.fullmatch(r"([A-Z][a-z]+)+", word)}


def test_there_is_a_remedy_for_every_reason_of_a_condition() -> None:
    conditions = section("docs/metrics.md", "Conditions")
    types = {"Ready", "Degraded", "Conflict"}
    named = {*re.findall(r"`(?:\w+: )?((?:[A-Z][a-z]+)+)`", conditions)} - types
    remedies = mentioned_reasons(section("docs/operate.md", "Conditions and Events"))
    events = {"Refused", "LeftOut"}
    assert named - events <= remedies
    assert remedies <= named | types | events


def test_every_event_is_spoken_of() -> None:
    reasons = mentioned_reasons(section("docs/metrics.md", "Events"))
    told = {*spans("docs/operate.md")}
    assert reasons - told == set()


def test_every_reason_is_a_word_of_the_agent() -> None:
    agent = "\n".join(path.read_text() for path in (ROOT / "wormhole/agent").rglob("*.py"))
    words = mentioned_reasons(section("docs/operate.md", "Conditions and Events"))
    assert {word for word in words if f'"{word}"' not in agent} == set()


def test_every_field_of_the_mesh_has_its_price() -> None:
    schema = json.loads((ROOT / "schemas/mesh.schema.json").read_text())
    fields = {*schema["properties"]["spec"]["properties"]}
    named = first_column(section("docs/operate.md", "Change the Mesh"))
    assert {name.partition(".")[0] for name in named} == fields


@pytest.mark.parametrize(
    "said", ["objects, which is more than a fifth", "nothing of Wormhole's is left"]
)
def test_what_programs_are_said_to_say_they_say(said: str) -> None:
    assert said in read_page("docs/operate.md").replace("\n", " ")
    assert said in source().replace('"\n    "', "")


def test_every_page_of_the_documentation_is_in_the_table() -> None:
    named = {Path(link).name for link in links("README.md")}
    assert {Path(page).name for page in PAGES if page != "README.md"} <= named
