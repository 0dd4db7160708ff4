"""How the agent's parts are put together, as far as that needs no host."""

import gc
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from agentturns import make_turn

from applier.errors import AgentRuns
from applier.linux.lock import hold
from applier.paths import Paths
from schemas.problems import Problems
from wormhole.agent import assembly
from wormhole.agent.assembly import Options, collecting_garbage, run_agent, stopping_on_signals
from wormhole.agent.desired import Cause
from wormhole.agent.turns.loop import HEARTBEAT, Loop
from wormhole.agent.turns.pace import Pace
from wormhole.agent.turns.turn import Turn
from wormhole.thishost import hold_agent_lock


def test_a_process_that_lives_on_collects_garbage_though_the_command_line_does_not() -> None:
    gc.disable()
    try:
        with collecting_garbage():
            assert gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert gc.get_freeze_count() == 0


class Taker:
    def take(self, causes: tuple[Cause, ...]) -> tuple[Turn, float | None]:
        return make_turn(causes=causes), None


def test_a_signal_ends_the_agent_even_in_the_moment_before_it_sleeps() -> None:
    turns: list[Turn] = []

    def beat() -> None:  # called when the loop has seen that nobody stopped it, and is to sleep
        if turns:
            os.kill(os.getpid(), signal.SIGTERM)

    loop = Loop(Taker(), Pace(lambda: 0.0), [turns.append], beat)
    before = signal.getsignal(signal.SIGTERM)
    begin = time.monotonic()
    with stopping_on_signals(loop.stop):
        loop.run()
    assert time.monotonic() - begin < HEARTBEAT / 2
    assert signal.getsignal(signal.SIGTERM) == before


def options(folder: Path, listen: str = "") -> Options:
    return Options(
        state=folder / "state",
        node="node-a",
        listen=listen,
        log_format="text",
        endpoint=None,
        kubeconfig=None,
        namespace="wormhole-system",
        paths=Paths(data=folder / "data", cni=folder / "cni", run=folder / "run"),
    )


def test_a_second_agent_on_a_host_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(assembly, "_PATIENCE", 0.4)
    asked = options(tmp_path)
    with hold(asked.paths.run / "agent.lock"), pytest.raises(AgentRuns, match="held by process"):
        run_agent(asked)
    assert not asked.paths.private_key.exists()
    assert capsys.readouterr().err.count("waiting for the agent that is still here to end") == 1


def test_an_agent_waits_for_the_one_before_it_to_end_and_keeps_others_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = options(tmp_path, listen="nonsense")
    former = hold(asked.paths.run / "agent.lock")
    former.__enter__()
    threading.Timer(0.5, lambda: former.__exit__(None, None, None)).start()
    taken = []

    def look(paths: object, *_: object) -> object:
        with pytest.raises(AgentRuns), hold_agent_lock(asked.paths):
            pass
        taken.append(paths)
        raise Problems.one("that will do")

    monkeypatch.setattr(assembly, "create_key", look)
    begin = time.monotonic()
    with pytest.raises(Problems, match="that will do"):
        run_agent(asked)
    assert taken
    assert 0.4 < time.monotonic() - begin < 5
    with hold_agent_lock(asked.paths):
        pass


def test_where_to_listen_is_refused_at_the_start_when_it_makes_no_sense(
    tmp_path: Path,
) -> None:
    with pytest.raises(Problems, match="--listen 'nonsense': must be an address and a port"):
        run_agent(options(tmp_path, listen="nonsense"))
