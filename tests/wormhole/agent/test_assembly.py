"""How the agent's parts are put together, as far as that needs no host."""

import gc

from wormhole.agent.assembly import collecting_garbage


def test_a_process_that_lives_on_collects_garbage_though_the_command_line_does_not() -> None:
    gc.disable()
    try:
        with collecting_garbage():
            assert gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert gc.get_freeze_count() == 0
