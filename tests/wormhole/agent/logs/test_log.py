"""What is logged, how it is written, and what never is."""

import io
import json
import logging
import warnings
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from agentturns import (
    follow,
    later,
    make_blind_turn,
    make_change,
    make_conflict,
    make_failure,
    make_outcome,
    make_turn,
    take_real_turn,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from scenes import MASTERS, PRIVATE, Scene, build_inventory

from applier.errors import HostError
from applier.plan import Action, Cause, Risk
from schemas.problems import Problem
from wormhole.agent.desired import Cause as Wakeup
from wormhole.agent.desired import Desired
from wormhole.agent.logs.log import Format, LineFormatter, set_up_log
from wormhole.agent.logs.turnlog import (
    AGAIN,
    LEFT_OUT,
    REMEMBERED,
    TroubleMemory,
    TurnLog,
    say_work,
)
from wormhole.agent.pages.metrics import Metrics
from wormhole.agent.status.events import find_notices
from wormhole.agent.status.report import make_report
from wormhole.agent.turns.turn import Hindrance, Turn

CONFLICT = make_turn(outcome=make_outcome(left=(make_conflict(),)))
KEY = "kPk3Cq0YvVwqHkIu8n7A0o0yq0Gg4m3cV1uTzJrXb1E="


class Log:
    """A logger of its own, and what it wrote."""

    def __init__(self, form: Format = "text") -> None:
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(LineFormatter(form))
        self.logger = logging.Logger("wormhole.agent")  # noqa: LOG001 - one of its own, not the process's
        self.logger.addHandler(handler)
        self.now = 0.0
        self.turns = TurnLog(self.logger, lambda: self.now)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()

    @property
    def said(self) -> list[str]:
        """The lines without their time."""
        return [line.partition(" ")[2] for line in self.lines]

    def observe(self, *turns: Turn) -> list[str]:
        before = len(self.lines)
        for turn in turns:
            self.now = turn.ended
            self.turns.observe(turn)
        return self.said[before:]


@pytest.fixture
def restored() -> Iterator[None]:
    """Put the process's logging back as it was."""
    root = logging.getLogger()
    handlers, level, told = root.handlers[:], root.level, logging.raiseExceptions
    logging.captureWarnings(capture=False)  # else it would begin nothing, where it is on already
    yield
    root.handlers[:], logging.raiseExceptions = handlers, told
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    for name in ("wormhole", "urllib3"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def test_an_idle_turn_says_nothing() -> None:
    assert Log().observe(make_turn(), make_turn(60), make_turn(120)) == []


def test_each_change_is_a_line_and_so_is_the_turn() -> None:
    peer = make_change(
        "peer",
        "a-key",
        action=Action.UPDATE,
        cause=Cause.DESIRED,
        before={"endpoint": "192.0.2.1:9806", "node": "node-b"},
        after={"endpoint": "192.0.2.9:9806", "node": "node-b"},
    )
    route = make_change(risk=Risk.DISRUPTIVE, note="somebody removed it")
    turn = make_turn(
        number=7,
        seconds=0.1234,
        causes=(Wakeup.KERNEL, Wakeup.TIMER),
        outcome=make_outcome(peer, route),
    )
    assert Log().observe(turn) == [
        (
            'level=info msg=changed kind=peer key=a-key name=node-b action=update cause="desired'
            ' changed" risk=hitless what="change peer node-b: endpoint 192.0.2.1:9806 ->'
            ' 192.0.2.9:9806"'
        ),
        (
            "level=info msg=changed kind=route key=10.244.0.0/16 action=create cause=drift"
            ' risk=disruptive what="create route 10.244.0.0/16: somebody removed it"'
        ),
        (
            "level=info msg=turn turn=7 result=converged causes=kernel,timer changes=2 failures=0"
            " seconds=0.123 digest=sha256:abababababab"
        ),
    ]


def test_a_change_that_failed_is_an_error_with_its_reason() -> None:
    outcome = make_outcome(failures=(make_failure(make_change()),), reverted=True)
    assert Log().observe(make_turn(outcome=outcome)) == [
        (
            'level=error msg="not changed" kind=route key=10.244.0.0/16 action=create tried=yes'
            ' reason="operation not supported"'
        ),
        (
            "level=error msg=turn turn=1 result=reverted causes=timer changes=0 failures=1"
            " seconds=0.0 digest=sha256:abababababab"
        ),
        (
            'level=error msg="what had been changed was put back: create route 10.244.0.0/16:'
            ' operation not supported" reason=Reverted'
        ),
    ]


def test_a_trouble_is_said_when_it_begins_and_when_it_ends() -> None:
    log = Log()
    said = log.observe(CONFLICT, later(CONFLICT, 60), later(CONFLICT, 120), make_turn(180))
    assert said == [
        'level=warn msg="cni 10-wormhole.conflist: it is flannel\'s" reason=Conflict',
        'level=info msg="over: cni 10-wormhole.conflist: it is flannel\'s" reason=Conflict times=2',
    ]
    assert log.observe(make_turn(240)) == []


def test_a_trouble_that_lasts_is_summed_up_every_ten_minutes() -> None:
    log = Log()
    turns = [later(CONFLICT, second) for second in range(0, int(2 * AGAIN) + 1, 60)]
    assert [line.rpartition(" ")[2] for line in log.observe(*turns)] == [
        "reason=Conflict",
        "times=10",
        "times=10",
    ]


def test_a_trouble_that_comes_and_goes_is_said_twice_and_then_counted() -> None:
    log = Log()
    turns = [
        later(CONFLICT, second) if second % 2 else make_turn(second) for second in range(1, 60)
    ]
    said = log.observe(*turns)
    assert [line.partition(" msg=")[0] for line in said] == ["level=warn", "level=info"]
    assert log.observe(make_turn(AGAIN + 60)) == [
        'level=info msg="over: cni 10-wormhole.conflist: it is flannel\'s" reason=Conflict times=29'
    ]
    assert log.observe(make_turn(2 * AGAIN + 60)) == []


def test_an_api_that_is_away_is_said_once_whatever_address_its_error_has() -> None:
    log = Log()
    said = log.observe(
        make_turn(api_error="PATCH /x: <Connection at 0x7f00deadbeef>: timed out"),
        make_turn(60, api_error="PATCH /x: <Connection at 0x7f11deadbeef>: timed out"),
    )
    assert said == [
        'level=warn msg="PATCH /x: <Connection at 0x7f00deadbeef>: timed out" reason=ApiError'
    ]


def test_a_refusal_is_said_once_whatever_its_numbers_are() -> None:
    log = Log()
    turns = [
        make_turn(
            second,
            outcome=make_outcome(
                refused=f"the plan removes {number} of 340 objects, which is more than a fifth"
            ),
        )
        for second, number in enumerate((299, 259, 310))
    ]
    (line,) = log.observe(*turns)
    assert "the plan removes 299 of 340 objects" in line


FORBIDDEN = (
    'GET /api/v1/nodes: 403 Forbidden: nodes is forbidden: User "agent" cannot list resource'
    ' "nodes" in API group "" at the cluster scope'
)


def test_a_missing_right_is_told_in_the_middle_of_an_outage_too() -> None:
    log = Log()
    for turn in (
        make_turn(api_error="WATCH /x: Unreachable: connection refused"),
        make_turn(10, api_error=f"WATCH /x: Unreachable: connection refused; {FORBIDDEN}"),
        make_turn(20, api_error=FORBIDDEN),
        make_turn(30),
    ):
        log.turns.observe(turn)
    right = (
        'the account of this agent cannot list resource \\"nodes\\" in API group \\"\\" at the'
        " cluster scope"
    )
    assert log.said == [
        'level=warn msg="WATCH /x: Unreachable: connection refused" reason=ApiError',
        f'level=warn msg="{right}" reason=Forbidden',
        'level=info msg="over: WATCH /x: Unreachable: connection refused" reason=ApiError times=2',
        f'level=info msg="over: {right}" reason=Forbidden times=1',
    ]


def test_two_missing_rights_are_two_troubles() -> None:
    log = Log()
    group = 'in API group ""'
    for error in (FORBIDDEN, f"{FORBIDDEN}; {FORBIDDEN.replace('list', 'watch')}"):
        log.turns.observe(make_turn(api_error=error))
    assert [line for line in log.said if "reason=Forbidden" in line] == [
        f'level=warn msg="{right}" reason=Forbidden'.replace(group, group.replace('"', '\\"'))
        for right in (
            f'the account of this agent cannot {verb} resource \\"nodes\\" {group} at the'
            " cluster scope"
            for verb in ("list", "watch")
        )
    ]


def test_what_passes_by_itself_is_a_warning_and_the_rest_an_error() -> None:
    log = Log()
    said = log.observe(
        make_blind_turn(hindrance=Hindrance.LOCKED, error="held"),
        make_blind_turn(hindrance=Hindrance.UNOBSERVABLE, error="interrupted"),
    )
    assert said == [
        "level=warn msg=held reason=Locked",
        "level=error msg=interrupted reason=Unobservable",
        'level=info msg="over: held" reason=Locked',
    ]


def test_what_is_left_out_is_named_up_to_a_number() -> None:
    problems = tuple(Problem(object=f"MeshNode/n{number:03}", rule="no") for number in range(200))
    said = Log().observe(make_turn(desired=Desired(left_out=problems)))
    assert len(said) == LEFT_OUT + 1
    assert said[0] == 'level=warn msg="MeshNode/n000: no" reason=LeftOut'
    assert said[-1] == 'level=warn msg="and 190 more" reason=LeftOut'


def offend(second: int, **fields: Any) -> Turn:  # noqa: ANN401 - a test names the fields
    """Return a turn with a neighbour who writes another address into his MeshNode each second."""
    rule = f"is inside the pod CIDRs of MeshNode/node-{second}"
    wrong = Problem(
        object="MeshNode/evil", path=f"spec.podCIDRs[{second}]", value=f"10.{second}.0.0", rule=rule
    )
    return make_turn(second, desired=Desired(**{"left_out": (wrong,)} | fields))


def test_who_changes_his_mistake_each_second_is_told_once_with_the_newest() -> None:
    log = Log()
    said = log.observe(*map(offend, range(int(AGAIN) + 1)))
    assert [line.partition(": ")[0] for line in said] == [
        "level=warn msg=\"MeshNode/evil spec.podCIDRs[0] '10.0.0.0'",
        "level=warn msg=\"MeshNode/evil spec.podCIDRs[600] '10.600.0.0'",
    ]
    assert said[1].endswith(" reason=LeftOut times=600")


@pytest.mark.parametrize("hindrance", [None, Hindrance.NO_DOCUMENTS])
def test_who_changes_our_own_object_each_second_is_told_once(hindrance: Hindrance | None) -> None:
    log = Log()
    for second in range(60):
        (wrong,) = offend(second).desired.left_out
        turn = make_turn(second, desired=Desired(problems=(wrong,)), hindrance=hindrance)
        log.observe(replace(turn, error=str(wrong)))
    assert len({line.rpartition("reason=")[2] for line in log.said}) == len(log.said)


def test_two_mistakes_of_one_object_are_two_lines_and_of_one_field_one() -> None:
    problems = (
        Problem(object="MeshNode/evil", path="spec.endpoint", value="nowhere", rule="no"),
        *(Problem(object="MeshNode/evil", path=f"spec.podCIDRs[{n}]", rule="no") for n in range(5)),
    )
    assert Log().observe(make_turn(desired=Desired(left_out=problems))) == [
        "level=warn msg=\"MeshNode/evil spec.endpoint 'nowhere': no\" reason=LeftOut",
        (
            'level=warn msg="MeshNode/evil spec.podCIDRs[0]: no; MeshNode/evil spec.podCIDRs[1]:'
            ' no; MeshNode/evil spec.podCIDRs[2]: no; and 2 more" reason=LeftOut'
        ),
    ]


@pytest.mark.parametrize("step", [-1e9, 1e9])
def test_a_clock_that_is_set_neither_silences_nor_repeats(step: float) -> None:
    log = Log()
    for second in range(0, int(2 * AGAIN) + 1, 60):
        log.now = float(second)
        log.turns.observe(later(CONFLICT, second + (step if second > 300 else 0)))
    assert [line.rpartition(" ")[2] for line in log.said] == [
        "reason=Conflict",
        "times=10",
        "times=10",
    ]


def test_what_is_remembered_is_bounded() -> None:
    memory = TroubleMemory()
    for number in range(REMEMBERED * 3):
        memory.say_news(make_turn(fight=f"fight {number}"), number * 0.1)
    assert len(memory._told) == REMEMBERED


def test_json_is_one_object_a_line() -> None:
    log = Log("json")
    log.observe(make_turn(outcome=make_outcome(make_change())))
    first, second = map(json.loads, log.lines)
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "info",
        "msg": "changed",
        "kind": "route",
        "key": "10.244.0.0/16",
        "action": "create",
        "cause": "drift",
        "risk": "hitless",
        "what": "create route 10.244.0.0/16",
    }
    assert (second["msg"], second["seconds"], second["changes"]) == ("turn", 0.0, 1)


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        ("plain/10.0.0.0", "plain/10.0.0.0"),
        ("", '""'),
        ("two words", '"two words"'),
        ('say "hi"', r'"say \"hi\""'),
        ("a=b", '"a=b"'),
        ("back\\slash", r'"back\\slash"'),
        ("line\nlevel=error", r'"line\\nlevel=error"'),
        ("\x1b[2J", r"\x1b[2J".replace("\\", "\\\\").join('""')),
        ("\u202e", '"\\\\u202e"'),
        (7, "7"),
    ],
)
def test_a_value_is_quoted_so_that_nothing_is_forged(value: str | int, spelt: str) -> None:
    log = Log()
    log.logger.info("said", extra={"fields": (("value", value),)})
    assert log.said == [f"level=info msg=said value={spelt}"]


@given(st.text(max_size=300), st.sampled_from(["text", "json"]))
@pytest.mark.law
def test_no_name_can_forge_a_line_or_a_field(text: str, form: Format) -> None:
    log = Log(form)
    log.observe(make_turn(outcome=make_outcome(make_change(key=text, note=text)), fight=text))
    output = log.stream.getvalue()
    expected = 2 + bool(text)
    assert output.count("\n") == len(log.lines) == expected
    assert all(line.isprintable() for line in log.lines)
    if form == "text":
        assert all(_count_fields(line, "level") == 1 for line in log.lines)
    else:
        assert all(json.loads(line)["level"] for line in log.lines)


def test_other_programs_log_in_our_form_with_their_name(restored: None) -> None:
    del restored
    stream = io.StringIO()
    logger = set_up_log("text", stream)
    logger.debug("too much")
    logger.info("hello")
    logging.getLogger("somebody").info("too much")
    logging.getLogger("somebody").warning("oh\nno %s", KEY)
    logging.getLogger("urllib3.connectionpool").warning("retrying")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", stacklevel=1)
    said = [line.partition(" ")[2] for line in stream.getvalue().splitlines()]
    assert said[:2] == [
        "level=info msg=hello",
        r'level=warn msg="oh\\nno (a key)" logger=somebody',
    ]
    assert said[2].endswith("logger=py.warnings")
    assert len(said) == 3


def test_an_exception_is_one_line_with_its_place() -> None:
    log = Log()
    error = HostError("add route", "10.0.0.0/8", "no\nway")
    with suppress(HostError):
        raise error
    log.logger.error("a bug", exc_info=error)
    (line,) = log.said
    assert line.startswith(r'level=error msg="a bug: HostError: add route 10.0.0.0/8: no\\nway at ')
    assert "test_log.py:" in line


def test_a_stream_that_is_closed_does_not_end_the_agent(
    restored: None, capfd: pytest.CaptureFixture[str]
) -> None:
    del restored
    stream = io.StringIO()
    logger = set_up_log("text", stream)
    stream.close()
    logger.info("hello")
    assert capfd.readouterr() == ("", "")


def test_nothing_that_is_told_holds_a_secret() -> None:
    scene = Scene()
    told = [_tell_everything(turn) for turn in _live_through_a_rotation(scene)]
    assert all("peer" in each for each in told[:2])
    derived = scene.vault._secrets.values()
    assert len(derived) > len(MASTERS)
    for secret in {PRIVATE, *MASTERS.values(), *derived}:
        for spelt in (secret.hex(), b64encode(secret).decode().rstrip("=")):
            assert not any(spelt in each for each in told)


def test_work_is_told_in_the_order_in_which_it_was_done() -> None:
    changes = [make_change(key=f"{number}") for number in range(3)]
    turn = make_turn(outcome=make_outcome(*changes))
    assert [dict(line.fields).get("key") for line in say_work(turn)] == ["0", "1", "2", None]


def _live_through_a_rotation(scene: Scene) -> Iterator[Turn]:
    yield take_real_turn(scene)
    follow(scene, build_inventory(epoch="2026-12"))
    yield take_real_turn(scene, api_error=f"PUT /x: Invalid value: {b64encode(PRIVATE).decode()}")
    follow(scene, build_inventory(("node-a", "node-b")))
    yield take_real_turn(
        scene, fight="somebody", desired=Desired(problems=(Problem(object="Mesh/x", rule="no"),))
    )
    error = f"cannot use {b64encode(MASTERS['2026-12']).decode()}"
    yield make_blind_turn(hindrance=Hindrance.HOST_ERROR, error=error)


def _tell_everything(turn: Turn) -> str:
    text, structured, metrics = Log(), Log("json"), Metrics("1.2.3")
    text.observe(turn)
    structured.observe(turn)
    metrics.observe(turn)
    report = make_report(turn, {}, "1.2.3")
    notices = find_notices(turn, None)
    page = metrics.make_page("").body.decode()
    return "\n".join([*text.lines, *structured.lines, str(report), str(notices), page])


def _count_fields(line: str, name: str) -> int:
    """Count a logfmt field as a reader of it does: names inside quotes are none."""
    inside, count, word = False, 0, ""
    characters = iter(line)
    for char in characters:
        if char == "\\" and inside:
            next(characters, None)
        elif char == '"':
            inside = not inside
        elif not inside:
            word = "" if char == " " else word + char
            count += word == f"{name}="
    return count
