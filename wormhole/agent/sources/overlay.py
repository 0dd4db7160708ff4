"""Overlay CIDRs that the Mesh does not name: asked of the cluster, away from the loop.

Asked only while somebody wants them, and until there is an answer: a cluster's pod subnet is what
it was made with, and an agent that changed its overlay on the run would tear its host from the
others.
"""

import random
import threading
from collections.abc import Callable
from typing import Final

from schemas.problems import Problem, Problems
from schemas.state import Value
from wormhole.backoff import double
from wormhole.cluster.errors import ApiError

_LONGEST_PAUSE: Final = 60.0
_WANTED: Final = (
    "kube-system's kubeadm-config, whose podSubnet is the overlay of a Mesh without one"
)


class Overlay(Value, frozen=True, kw_only=True):
    """What the cluster says of its overlay; all empty while nobody has asked it."""

    cidrs: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Why it will not say, until somebody changes something."""
    waiting_for: str = _WANTED


class OverlayFinder:
    """Asks once, and after a failure again, in threads that end by themselves.

    ``fetch`` may take its time; it raises ApiError or Problems. ``sleep`` is the tests'.
    """

    def __init__(
        self,
        fetch: Callable[[], tuple[str, ...]],
        *,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        self._fetch = fetch
        self._stopping = threading.Event()
        self._sleep = sleep or self._stopping.wait
        self._lock = threading.Lock()
        self._answer = Overlay()
        self._asking = False
        self._failures = 0

    def find(self, wake: Callable[[], None]) -> Overlay:
        """Return what is known, at once; ask if nothing is, and ``wake`` when there is news."""
        with self._lock:
            if not (self._answer.cidrs or self._asking or self._stopping.is_set()):
                self._asking = True
                name = "ask for podSubnet"
                threading.Thread(target=self._ask, args=(wake,), name=name, daemon=True).start()
            return self._answer

    def stop(self) -> None:
        """Ask no more."""
        self._stopping.set()

    def _ask(self, wake: Callable[[], None]) -> None:
        """Ask once. After a failure wait, so that whoever still wants to know asks no sooner."""
        answer = _fetch_answer(self._fetch)
        with self._lock:
            news, self._answer = answer != self._answer, answer
        if news:
            wake()
        if not answer.cidrs:
            self._failures += 1
            longest = double(self._failures, first=2.0, longest=_LONGEST_PAUSE)
            self._sleep(random.uniform(longest / 2, longest))  # noqa: S311 - spreads agents, hides nothing
        with self._lock:
            self._asking = False
        if not answer.cidrs:
            wake()


def _fetch_answer(fetch: Callable[[], tuple[str, ...]]) -> Overlay:
    try:
        return Overlay(cidrs=fetch(), waiting_for="")
    except Problems as error:
        return Overlay(problems=error.problems, waiting_for="")
    except ApiError as error:
        if not error.missing:
            return Overlay(waiting_for=f"{_WANTED} ({error})")
        rule = "is not there to supply the Mesh's overlay: give the Mesh its own overlayCIDRs"
        problem = Problem(object="ConfigMap/kubeadm-config", rule=rule)
        return Overlay(problems=(problem,), waiting_for="")
    except Exception as error:  # noqa: BLE001 - a bug in a thread must not silence it for good
        return Overlay(waiting_for=f"{_WANTED} ({type(error).__name__})")
