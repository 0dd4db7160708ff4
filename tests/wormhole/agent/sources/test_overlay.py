import threading

from schemas.problems import Problem, Problems
from wormhole.agent.sources.overlay import Overlay, OverlayFinder
from wormhole.cluster.errors import ApiError

WANTED = "kube-system's kubeadm-config, whose podSubnet is the overlay of a Mesh without one"
PROBLEM = Problem(object="ConfigMap/kubeadm-config", rule="is empty")
FOUND = Overlay(cidrs=("10.244.0.0/16",), waiting_for="")


class Asked:
    """A finder over scripted answers, whose pauses end when the test lets them."""

    def __init__(self, *answers: tuple[str, ...] | Exception) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.pauses: list[float] = []
        self.woken = threading.Semaphore(0)
        self.resume = threading.Semaphore(0)
        self.finder = OverlayFinder(self.fetch, sleep=self.sleep)

    def fetch(self) -> tuple[str, ...]:
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.resume.acquire(timeout=10)

    def find(self) -> Overlay:
        return self.finder.find(self.wake)

    def wake(self) -> None:
        self.woken.release()

    def wait(self) -> None:
        assert self.woken.acquire(timeout=10)


def test_first_answer_is_that_it_waits_and_the_next_is_the_clusters() -> None:
    asked = Asked(("10.244.0.0/16",))
    assert asked.find() == Overlay(waiting_for=WANTED)
    asked.wait()
    assert [asked.find(), asked.find(), asked.asked] == [FOUND, FOUND, 1]


def test_while_the_api_is_away_it_waits_longer_each_time_and_says_why() -> None:
    away = [ApiError("GET /x", 0, "Unreachable", "connection refused") for _ in range(8)]
    asked = Asked(*away, ("10.244.0.0/16",))
    asked.find()
    asked.wait()
    why = f"{WANTED} (GET /x: Unreachable: connection refused)"
    assert asked.find() == Overlay(waiting_for=why)
    for _ in range(8):
        asked.resume.release()
        asked.wait()
        asked.find()
    asked.wait()
    assert asked.find() == FOUND
    bounds = [2, 4, 8, 16, 32, 60, 60, 60]
    assert [low / 2 <= pause <= low for low, pause in zip(bounds, asked.pauses, strict=True)] == [
        True
    ] * 8


def test_nobody_who_asks_in_a_pause_asks_the_cluster() -> None:
    asked = Asked(ApiError("GET /x", 500, "Broken", ""))
    asked.find()
    asked.wait()
    for _ in range(3):
        asked.find()
    assert asked.asked == 1
    asked.finder.stop()
    asked.resume.release()


def test_stopped_finder_asks_nothing() -> None:
    asked = Asked()
    asked.finder.stop()
    assert (asked.find(), asked.asked) == (Overlay(waiting_for=WANTED), 0)


def answer_to(error: Exception) -> Overlay:
    asked = Asked(error)
    asked.find()
    asked.wait()
    asked.finder.stop()
    asked.resume.release()
    return asked.find()


def test_cluster_that_kubeadm_did_not_make_is_a_problem() -> None:
    rule = "is not there to supply the Mesh's overlay: give the Mesh its own overlayCIDRs"
    expected = Problem(object="ConfigMap/kubeadm-config", rule=rule)
    found = answer_to(ApiError("GET /x", 404, "NotFound", ""))
    assert found == Overlay(problems=(expected,), waiting_for="")


def test_config_map_that_makes_no_sense_is_a_problem() -> None:
    assert answer_to(Problems([PROBLEM])) == Overlay(problems=(PROBLEM,), waiting_for="")


def test_bug_is_named_and_does_not_end_the_asking() -> None:
    found = answer_to(ZeroDivisionError("x"))
    assert found == Overlay(waiting_for=f"{WANTED} (ZeroDivisionError)")
