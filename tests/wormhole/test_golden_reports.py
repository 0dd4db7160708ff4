"""How statuses and outcomes read: exact texts of values made by hand."""

import pytest

from applier.outcome import Failure, Outcome
from applier.plan import Action, Cause, Change, Plan
from applier.status import DeviceStatus, PeerStatus, Status
from schemas.values import Endpoint, NodeName, Prefix, PublicKey
from wormhole.views.fields import describe_difference
from wormhole.views.outcome import describe_troubles, exit_of, summarise_outcome
from wormhole.views.status import describe_status, spell_age, spell_bytes

KEY = "zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o="
ROUTE = Change(
    kind="route", key="10.244.0.0/16 metric 1024", action=Action.CREATE, cause=Cause.DESIRED
)
FOREIGN = Change(kind="link", key="wormhole-br0", action=Action.CONFLICT, cause=Cause.DRIFT)
DEVICE = DeviceStatus(
    name="wormhole-wg0",
    implementation="userspace",
    public_key=KEY,
    listen_port=9806,
    up=True,
    mtu=1440,
)


def make_plan(*changes: Change) -> Plan:
    return Plan(host="node-a", digest="1a2b3c4d5e6f" + "0" * 52, changes=changes)


def make_peer(name: str | None, endpoint: str, age: int | None, *, from_: str = "") -> PeerStatus:
    return PeerStatus(
        name=NodeName(name) if name else None,
        public_key=PublicKey(KEY),
        allowed_ips=(Prefix("10.244.1.0/24"),),
        endpoint=Endpoint(endpoint) if endpoint else None,
        configured_endpoint=Endpoint(from_ or endpoint),
        roamed=bool(from_),
        handshake_age=age,
        received=1_258_291,
        sent=148,
    )


def make_status(*peers: PeerStatus, drift: Plan | None) -> Status:
    return Status(host="node-a", device=DEVICE, peers=peers, drift=drift)


def test_golden_status_of_a_host_at_work() -> None:
    status = make_status(
        make_peer("node-b", "192.0.2.2:9806", 12),
        make_peer("node-c", "[2001:db8::9]:40000", 179, from_="[2001:db8::3]:9806"),
        make_peer("node-d", "", None),
        make_peer(None, "192.0.2.66:1", 100_000),
        drift=make_plan(ROUTE),
    )
    expected = f"""\
wormhole-wg0  up, userspace, port 9806, mtu 1440
public key {KEY}

PEER                                                    ENDPOINT               HANDSHAKE  RECEIVED  SENT
node-b                                                  192.0.2.2:9806         12 s ago   1.2 MiB   148 B
node-c                                                  [2001:db8::9]:40000 *  2 min ago  1.2 MiB   148 B
node-d                                                  -                      never      1.2 MiB   148 B
(unknown) zE4iLxHuYgRz+RmFHG2ePr1ma4hrSINg0INH5OItb0o=  192.0.2.66:1           27 h ago   1.2 MiB   148 B

* node-c roamed: it is configured at [2001:db8::3]:9806

drift: create route 10.244.0.0/16 metric 1024

Status: node-a, 4 peers, 2 with a live session; drift: 1 change."""  # noqa: E501 - as it reads
    assert expected == describe_status(status)


def test_golden_status_of_a_host_without_a_device() -> None:
    status = Status(host="", device=None, peers=(), drift=None)
    expected = (
        "no WireGuard device of ours\n\n"
        "Status: this host, 0 peers, 0 with a live session; no desired state is known."
    )
    assert expected == describe_status(status)


def test_long_drift_is_cut_unless_all_is_asked_for() -> None:
    status = make_status(drift=make_plan(*[ROUTE] * 12))
    assert "drift: 2 more (-v names them)" in describe_status(status)
    assert describe_status(status, verbose=True).count("drift: create route") == 12


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "never"),
        (-1, "0 s ago"),
        (119, "119 s ago"),
        (120, "2 min ago"),
        (7199, "119 min ago"),
        (7200, "2 h ago"),
        (200_000, "2 d ago"),
    ],
)
def test_an_age_reads_in_the_unit_that_fits(seconds: int | None, text: str) -> None:
    assert spell_age(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2, "1.0 MiB"),
        (5 * 1024**6, "5120.0 PiB"),
    ],
)
def test_bytes_read_in_the_unit_that_fits(number: int, text: str) -> None:
    assert spell_bytes(number) == text


OUTCOMES = {
    "converged": (
        Outcome(plan=make_plan(ROUTE), done=(ROUTE,), left=make_plan()),
        "",
        "Applied: 1 change made; node-a is as desired.",
        0,
    ),
    "conflict": (
        Outcome(
            plan=make_plan(ROUTE, FOREIGN),
            done=(ROUTE,),
            left=make_plan(FOREIGN),
            trouble=("memory: write applied.json: no space left (code 28)",),
        ),
        "error: memory: write applied.json: no space left (code 28)",
        "Applied: 1 change made; 1 conflict left, with what is not Wormhole's.",
        4,
    ),
    "refused": (
        Outcome(plan=make_plan(ROUTE), left=make_plan(ROUTE), refused="the plan removes 9 of 10"),
        "",
        "Refused: the plan removes 9 of 10; nothing was changed.",
        5,
    ),
    "reverted": (
        Outcome(
            plan=make_plan(ROUTE, ROUTE, FOREIGN),
            failures=(
                Failure(change=ROUTE, reason="add route: file exists (code 17)"),
                Failure(change=ROUTE, reason="link wormhole-wg0 failed", skipped=True),
            ),
            left=make_plan(ROUTE),
            reverted=True,
        ),
        (
            "error: create route 10.244.0.0/16 metric 1024: add route: file exists (code 17)\n"
            "error: create route 10.244.0.0/16 metric 1024: not tried: link wormhole-wg0 failed"
        ),
        "Failed: 2 of 2 changes could not be made; what had been changed was put back.",
        6,
    ),
    "not reverted": (
        Outcome(plan=make_plan(ROUTE), left=make_plan(ROUTE), reverted=False),
        "",
        (
            "Failed: the host is not as desired after all changes;"
            " not everything could be put back: wormhole plan shows what is left."
        ),
        7,
    ),
    "keys left": (
        Outcome(
            plan=make_plan(),
            left=make_plan(),
            trouble=("files: remove file /x/private.key: read-only (code 30)",),
            files_left=True,
        ),
        "error: files: remove file /x/private.key: read-only (code 30)",
        "Failed: 0 changes made; files of Wormhole's could not be removed.",
        7,
    ),
}


def test_changes_that_only_waited_for_one_that_failed_are_counted_and_named_when_asked_for() -> (
    None
):
    waiting = Failure(change=ROUTE, reason="waits for link wormhole-wg0", skipped=True)
    cause = Failure(change=ROUTE, reason="add route: file exists (code 17)")
    plan = make_plan(ROUTE, ROUTE, ROUTE)
    outcome = Outcome(plan=plan, failures=(waiting, cause, waiting), left=plan, reverted=True)
    said = "error: create route 10.244.0.0/16 metric 1024: "
    wait = f"{said}not tried: waits for link wormhole-wg0"
    failed = f"{said}add route: file exists (code 17)"
    summed_up = "error: 2 changes that wait for this: not tried (-v names them)"
    assert describe_troubles(outcome) == f"{failed}\n{summed_up}"
    assert describe_troubles(outcome, verbose=True) == f"{wait}\n{failed}\n{wait}"


@pytest.mark.parametrize("case", OUTCOMES)
def test_golden_outcome(case: str) -> None:
    outcome, troubles, last_line, code = OUTCOMES[case]
    found = (
        describe_troubles(outcome),
        summarise_outcome(outcome, verb="Applied", converged="node-a is as desired"),
        exit_of(outcome),
    )
    assert (troubles, last_line, code) == found


def test_what_somebody_wrote_into_a_file_of_ours_is_no_command_to_the_terminal() -> None:
    found = describe_difference("\x1b[2Jjunk\nx y\n", "{\n}\n")
    assert [line for field in found for line in field.lines][:1] == ["- \\x1b[2Jjunk"]
