"""How plans read: ``fixtures/plans/<case>/plan.json`` is what they say, beside it how."""

import os
from pathlib import Path

import msgspec
import pytest

from applier.plan import Action, Cause, Change, Plan
from wormhole.views.plan import describe_changes, summarise_plan

PLANS = Path(__file__).parents[2] / "fixtures/plans"
CASES = sorted(path.name for path in PLANS.iterdir())


def text_of(plan: Plan, *, verbose: bool) -> str:
    changes = describe_changes(plan, verbose=verbose) + "\n\n" if plan.changes else ""
    return f"{changes}{summarise_plan(plan)}\n"


@pytest.mark.parametrize("case", CASES)
def test_golden_plan(case: str) -> None:
    folder = PLANS / case
    plan = msgspec.json.decode((folder / "plan.json").read_bytes(), type=Plan)
    texts = {
        "plan.txt": text_of(plan, verbose=False),
        "plan-verbose.txt": text_of(plan, verbose=True),
    }
    if os.environ.get("WORMHOLE_GOLDEN") == "write":
        for name, text in texts.items():
            (folder / name).write_text(text)
    found = {path.name: path.read_text() for path in folder.iterdir() if path.name != "plan.json"}
    assert texts == found


def test_what_a_foreign_file_says_is_no_command_to_the_terminal() -> None:
    change = Change(
        kind="cni",
        key="10-wormhole.conflist",
        action=Action.CONFLICT,
        cause=Cause.DRIFT,
        note="it configures the CNI network '\x1b[2Jflannel'",
    )
    text = text_of(Plan(host="node-a", digest="0" * 64, changes=(change,)), verbose=False)

    assert "\x1b" not in text
    assert "it configures the CNI network '\\x1b[2Jflannel'" in text
