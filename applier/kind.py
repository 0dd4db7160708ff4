"""What a kind of object is to the applier: the questions that every module in ``kinds`` answers."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

from applier.errors import HostError
from applier.host import Host
from applier.plan import Action, Change, Observed, Risk
from applier.view import View
from applier.wanted import Scope, Wanted
from schemas.state import Value

V = TypeVar("V")
"""A kind's value: frozen, compared by content, the same type desired and observed."""

KindValue = Any
"""A value of a kind that only the kind itself knows."""


class Need(NamedTuple):
    """A reference to one object of a kind, or to any of them."""

    kind: str
    key: str | None = None
    """None: any object of the kind."""


class Difference(Value, frozen=True, kw_only=True):
    """What has to happen to one object, and what that risks."""

    action: Action
    risk: Risk = Risk.HITLESS
    note: str = ""


class Kind(ABC, Generic[V]):
    """One kind of object. Kinds hold no state, and do not know each other."""

    name: ClassVar[str]
    value_type: ClassVar[Any]
    """The type of ``before`` and ``after``, for reading a plan back."""
    as_one: ClassVar[bool] = False
    """Whether what is unwanted stays while something wanted cannot be made."""

    @abstractmethod
    def desired(self, wanted: Wanted, scope: Scope) -> dict[str, V]:
        """Return what should be there, by key, in the order in which to make it."""

    @abstractmethod
    def observe(self, view: View, scope: Scope) -> Observed:
        """Return what is there: ours by its marks, and foreign objects in our way.

        Raises:
            Unobservable: it could not be read whole.

        """

    def adopt(self, desired: V, observed: V, last: V | None) -> V:  # noqa: ARG002 - for overriding
        """Return what is desired with what is rightly left as it is observed."""
        return desired

    @abstractmethod
    def compare(self, desired: V | None, observed: V | None, last: V | None) -> Difference | None:
        """Return what must happen for observed to become desired; None when it is that already.

        ``last`` is what was desired when the host last converged, if it was.
        """

    @abstractmethod
    def apply(self, host: Host, changes: Sequence[Change], scope: Scope) -> Mapping[str, HostError]:
        """Make the changes, in as few calls as possible; return what failed, by key.

        All changes are creations, updates and re-creations, or all are deletions.
        """

    def needs(self, key: str, value: V) -> tuple[Need, ...]:  # noqa: ARG002 - for overriding
        """Return what must be in order before this may be made."""
        return ()

    def dies_with(self, key: str, value: V) -> tuple[Need, ...]:  # noqa: ARG002 - for overriding
        """Return the objects whose deletion makes the kernel delete this one."""
        return ()

    def outlives(self, key: str, value: V) -> tuple[Need, ...]:  # noqa: ARG002 - for overriding
        """Return what must be gone before this may be deleted."""
        return ()

    def explain_leftover(self, key: str, value: V) -> str:  # noqa: ARG002 - for overriding
        """Say what to do about an unwanted object that has to stay; empty when it goes by itself.

        Only of kinds that change :attr:`as_one`.
        """
        return ""

    def elsewhere(self, key: str) -> str:  # noqa: ARG002 - for overriding
        """Return the key that an object has where it does the same in another place; or nothing."""
        return ""

    def claim(self, value: V) -> str:  # noqa: ARG002 - for overriding
        """Name what only one object at a time can hold; empty when there is no such thing.

        An object that goes while another with the same claim comes is removed first.
        """
        return ""


AnyKind = Kind[KindValue]
