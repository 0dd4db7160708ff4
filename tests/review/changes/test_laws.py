"""What holds of every comparison: nothing is lost, nothing is told twice, nothing is made up."""

import json
import re

import pytest
from edits import changed_inventories, damaged_documents
from effort import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from patching import files_of, patch

from compiler.compile import compile_mesh
from review.changes.compare import compare
from review.changes.explain import explain_all
from review.changes.frame import Frame
from review.changes.markdown import write_markdown
from review.changes.summary import describe_text, summarise
from schemas.state import Documents

pytestmark = pytest.mark.law


def spell(value: object) -> str:
    """Return JSON, in which 1, 1.0 and true are not the same."""
    return json.dumps(value, sort_keys=True)


@st.composite
def sides(draw: st.DrawFn) -> tuple[Documents, Documents]:
    old, new = map(compile_mesh, draw(changed_inventories()))
    return draw(damaged_documents(old)), draw(damaged_documents(new))


@settings(max_examples=examples(100))
@given(sides())
def test_all_differences_together_make_the_new_documents_of_the_old(
    both: tuple[Documents, Documents],
) -> None:
    old, new = both
    frame = Frame(old, new)
    deltas = [delta for some in explain_all(frame).values() for delta in some]
    patched, wanted = patch(frame, deltas), files_of(new)
    assert wanted.keys() == patched.keys()
    assert [name for name in wanted if spell(wanted[name]) != spell(patched[name])] == []


@settings(max_examples=examples(50))
@given(sides())
def test_each_difference_is_needed_and_has_one_reason(both: tuple[Documents, Documents]) -> None:
    old, new = both
    explained = explain_all(Frame(old, new))
    places = [
        (delta.file, delta.path, delta.comes) for some in explained.values() for delta in some
    ]
    assert len({*places}) == len(places)


@settings(max_examples=examples(50))
@given(sides())
def test_there_are_entries_exactly_when_the_documents_differ(
    both: tuple[Documents, Documents],
) -> None:
    old, new = both
    assert bool(compare(old, new).entries) is (spell(files_of(old)) != spell(files_of(new)))
    assert compare(old, old).entries == compare(new, new).entries == ()


@settings(max_examples=examples(50))
@given(sides())
def test_everything_is_told_in_plain_short_words(both: tuple[Documents, Documents]) -> None:
    review = compare(*both)
    assert len(summarise(review)) <= 72
    for line in (summarise(review), *describe_text(review, verbose=True)):
        assert line.isprintable()
    for entry in review.entries:
        assert not re.search(r"None|UNSET|\(\)|<|\s\s", f"{entry.title}: {entry.effect}")
    assert len(write_markdown(review)) < 65_536


@settings(max_examples=examples(50))
@given(sides())
def test_what_hosts_notice_is_the_worst_of_all_entries(both: tuple[Documents, Documents]) -> None:
    review = compare(*both)
    touched = {name for entry in review.entries for name in entry.hosts}
    assert touched == {*review.hosts} <= {*both[1].hosts}
    assert len(touched) == review.blast.touched


@settings(max_examples=examples(50))
@given(changed_inventories())
def test_what_the_compiler_makes_of_an_inventory_is_always_explained(
    both: tuple[object, object],
) -> None:
    review = compare(*map(compile_mesh, both))  # type: ignore[arg-type] # inventories
    unexplained = [e for e in review.entries if e.cause in {"other", "firewall"}]
    assert unexplained == []
