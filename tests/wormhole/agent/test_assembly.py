"""How the agent's parts are put together, as far as that needs no host."""

import gc
import os
import signal
import time

from agentturns import make_turn

from wormhole.agent.assembly import collecting_garbage, stopping_on_signals
from wormhole.agent.desired import Cause
from wormhole.agent.loop import HEARTBEAT, Loop
from wormhole.agent.pace import Pace
from wormhole.agent.turn import Turn


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
