"""What a commit says: a subject that fits, and everything that a reviewer asks first."""

import pytest
from inventories import make_inventory, make_mesh, make_node
from msgspec.structs import replace

from compiler.compile import compile_mesh
from review.changes.compare import compare
from schemas.problems import Problem
from schemas.state import Documents
from wormhole.git.message import Occasion, write_message


def documents(*names: str, name: str = "demo") -> Documents:
    nodes = [
        make_node(each, f"10.244.{number}.0/24", endpoint=f"192.0.2.{number + 1}:9806")
        for number, each in enumerate(names)
    ]
    mesh = make_mesh()
    return compile_mesh(
        make_inventory(type(mesh)(name=name, overlay_cidrs=mesh.overlay_cidrs), *nodes)
    )


def occasion(old: Documents | None, new: Documents, **fields: object) -> Occasion:
    defaults: dict[str, object] = {
        "mesh": new.mesh.name,
        "hosts": len(new.hosts),
        "review": None if old is None else compare(old, new),
        "state_files": 1,
        "rendered_files": 0,
        "warnings": (),
    }
    return Occasion(**(defaults | fields))  # type: ignore[arg-type] # a test names the fields


def test_a_change_is_told_with_how_far_it_reaches() -> None:
    message = write_message(occasion(documents("a", "b"), documents("a", "b", "c")))
    lines = message.splitlines()
    assert (lines[0], lines[1]) == ("c joins", "")
    assert lines[2].startswith("hitless")
    assert "blast radius" in lines
    assert message.endswith("\n")
    assert not message.endswith("\n\n")


def test_every_line_is_free_of_space_at_its_end() -> None:
    message = write_message(occasion(documents("a", "b"), documents("b", "c")))
    assert [line for line in message.splitlines() if line != line.rstrip()] == []


def test_nobody_is_told_of_options_that_a_commit_does_not_have() -> None:
    review = compare(documents("a", "b"), documents("a", "b", "c"))
    many = replace(review, entries=review.entries * 14)
    message = write_message(replace(occasion(None, documents("a")), review=many))
    assert ("and 2 more changes" in message, "-v" in message) == (True, False)


@pytest.mark.parametrize("hosts", [("a",), tuple("abcdefghijklmnopqrstuvwxyz")])
def test_the_subject_fits_whatever_happens(hosts: tuple[str, ...]) -> None:
    long = documents(*(f"{name}{'-long-name' * 12}" for name in hosts), name="m" * 253)
    for old in (None, documents("x", name="m" * 253)):
        subject = write_message(occasion(old, long)).splitlines()[0]
        assert 0 < len(subject) <= 72


def test_warnings_are_listed_and_none_passes_for_a_trailer() -> None:
    warnings = tuple(
        Problem(file="Co-authored-by", rule=f"x{number}\nSigned-off-by: y") for number in range(12)
    )
    message = write_message(occasion(None, documents("a"), warnings=warnings))
    lines = message.splitlines()
    assert lines[2] == "12 warnings:"
    assert lines[3] == "- Co-authored-by: x0\\nSigned-off-by: y"
    assert lines[-1] == "- and 2 more"
    assert [line for line in lines if line.startswith(("Co-", "Signed-"))] == []


def test_a_state_that_nobody_could_read_is_owned_up_to() -> None:
    message = write_message(occasion(None, documents("a"), why_none="mesh.json: not JSON"))
    assert message == (
        "mesh demo is replaced: 1 host\n\nThe state before cannot be read: mesh.json: not JSON\n"
    )
