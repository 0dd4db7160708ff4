"""Every exception has its exit code and its sentences; none has a traceback."""

import errno

import pytest

from applier.errors import AgentRuns, HostError, Locked, Missing, Unobservable, Unsupported
from schemas.problems import Problem, Problems
from wormhole.cluster.errors import ApiError
from wormhole.exit import Exit
from wormhole.failure import explain_failure
from wormhole.views.plan import summarise_plan

NOTHING_CHANGED = "\nnothing was changed: what cannot be read is not empty\n"
ENDED = "\nit ended there: once the cause is gone, run it again\n"

STOP_IT = (
    "nothing was changed: stop it first, with"
    " 'kubectl -n wormhole-system delete daemonset wormhole-agent',"
    " or 'systemctl stop' where it is a service of this host\n"
)

BUG = """\
wormhole: this is a bug in wormhole 0.1.0, not in your input
  RuntimeError: the table is upside down
  at an unknown place
please report these lines, and the command, to whoever gave you wormhole;
WORMHOLE_DEBUG=1 prints the whole traceback (look for secrets before you share it)
"""

CASES = {
    "problems": (
        Problems(
            [
                Problem(file="b.yaml", line=3, path="spec.mtu", value="9", rule="too small"),
                Problem(file="a.yaml", rule="empty"),
            ]
        ),
        Exit.INPUT,
        "error: a.yaml: empty\nerror: b.yaml:3: spec.mtu '9': too small\n2 problems in 2 files\n",
    ),
    "unobservable": (
        Unobservable("dump", "routes", "interrupted", errno.EINTR),
        Exit.UNOBSERVABLE,
        "wormhole: dump routes: interrupted (code 4)" + NOTHING_CHANGED,
    ),
    "host error": (
        HostError("read", "x", "no"),
        Exit.UNOBSERVABLE,
        "wormhole: read x: no" + ENDED,
    ),
    "unsupported": (
        Unsupported("create", "wormhole-wg0", "no module"),
        Exit.UNOBSERVABLE,
        "wormhole: create wormhole-wg0: no module" + NOTHING_CHANGED,
    ),
    "missing": (
        Missing("find", "iptables-save", "not installed"),
        Exit.UNOBSERVABLE,
        "wormhole: find iptables-save: not installed" + ENDED,
    ),
    "api error": (
        ApiError("GET /api/v1/nodes", 403, "Forbidden", "nodes is\x1b[2J forbidden"),
        Exit.UNOBSERVABLE,
        "wormhole: GET /api/v1/nodes: 403 Forbidden: nodes is\\x1b[2J forbidden\n",
    ),
    "locked": (
        Locked("lock", "/x", "held by process 7"),
        Exit.TRY_AGAIN,
        "wormhole: another applier is at work on this host: lock /x: held by process 7\n",
    ),
    "agent runs": (
        AgentRuns("lock", "/x", "held by process 7"),
        Exit.TRY_AGAIN,
        "wormhole: an agent keeps this host: lock /x: held by process 7\n" + STOP_IT,
    ),
    "out of memory": (
        MemoryError(),
        Exit.INPUT,
        "wormhole: there is not enough memory for an input of this size\n",
    ),
    "interrupted": (KeyboardInterrupt(), Exit.INTERRUPTED, "wormhole: interrupted\n"),
    "broken pipe": (BrokenPipeError(errno.EPIPE, "Broken pipe"), Exit.BROKEN_PIPE, ""),
    "full disk": (
        OSError(errno.ENOSPC, "No space left on device"),
        Exit.INPUT,
        "wormhole: cannot write the output: no space left on device\n",
    ),
    "bug": (
        RuntimeError("the table is upside down"),
        Exit.BUG,
        BUG,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_exception_is_explained(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    error, code, text = CASES[case]
    found = explain_failure(error)
    assert (code, "", text) == (found, *capsys.readouterr())


def test_a_bug_is_placed_at_the_innermost_frame_of_ours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    try:
        summarise_plan(None)  # type: ignore[arg-type] # the bug
    except AttributeError as error:
        explain_failure(error)
    assert "  at wormhole/views/plan.py:" in capsys.readouterr().err


def test_the_traceback_is_there_for_who_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORMHOLE_DEBUG", "1")
    try:
        1 / 0  # noqa: B018 - raised here, so that there is a traceback
    except ZeroDivisionError as error:
        explain_failure(error)
    assert capsys.readouterr().err.startswith("Traceback (most recent call last):\n")


def test_the_codes_are_the_ones_that_scripts_know() -> None:
    expected = {
        "OK": 0,
        "CHANGES": 1,
        "INPUT": 2,
        "UNOBSERVABLE": 3,
        "CONFLICT": 4,
        "REFUSED": 5,
        "REVERTED": 6,
        "NOT_REVERTED": 7,
        "BUG": 70,
        "TRY_AGAIN": 75,
        "INTERRUPTED": 130,
        "BROKEN_PIPE": 141,
    }
    assert expected == {code.name: code.value for code in Exit}


def test_who_lacks_rights_is_told_who_has_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    denied = HostError("create file", "/key", "Permission denied", errno.EACCES)
    for user, remedy in ((1000, "root may: use sudo"), (0, "once the cause is gone, run it again")):
        monkeypatch.setattr("os.geteuid", lambda user=user: user)
        assert explain_failure(denied) is Exit.UNOBSERVABLE
        said = (
            f"wormhole: create file /key: Permission denied (code 13)\nit ended there: {remedy}\n"
        )
        assert capsys.readouterr().err == said
