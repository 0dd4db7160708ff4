"""A packet's story to text that somebody reads at three in the morning."""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

from review.model.packet import Entry, Packet, Protocol, Start
from review.model.story import Fate, Place, Stage, Step, Story
from schemas.problems import neutralise, spell_path
from schemas.state import Value
from wormhole.console import Paint, paint_plain

SpellPlace = Callable[[Place], str]
"""``file:line`` of a place."""

_WIDEST: Final = 72
"""How far decisions push the places that stand behind them."""
_STAGES: Final = max(map(len, Stage))
_WAY: Final = frozenset({Stage.ENCRYPT, Stage.DELIVER})
_GOOD: Final = frozenset({Fate.DELIVERED, Fate.LEFT})

_ENDINGS: Final = {
    Fate.DELIVERED: "Delivered: {to} gets it, on {host}.",
    Fate.LEFT: "Left: {host} sends it towards {to}, outside of the overlay.",
    Fate.LEAKED: "Leaked: {host} sends it in clear, and {to} is in the overlay.",
    Fate.DROPPED: "Dropped: {host} swallows it, and the sender hears nothing.",
    Fate.UNREACHABLE: "Unreachable: {host} has no way to {to}, and tells the sender.",
    Fate.TOO_BIG: "Too big: it does not fit, and {host} may not cut it to pieces.",
    Fate.LOST: "Lost: what {host} encrypted is understood by nobody.",
}
_HINTS: Final = {
    (Fate.LEAKED, None): "no route there keeps it in the overlay, and no guard stopped it",
    (Fate.DROPPED, None): "this drops it",
    (Fate.DROPPED, Stage.ROUTE): "forwarding would be switched on here",
    (Fate.DROPPED, Stage.DECRYPT): "this is what that peer may send from",
    (Fate.UNREACHABLE, None): "this is where the way ends",
    (Fate.UNREACHABLE, Stage.ROUTE): "no better route is there, and this one refuses it",
    (Fate.UNREACHABLE, Stage.ENCRYPT): "no peer claims this address; is its node in the inventory?",
    (Fate.UNREACHABLE, Stage.DELIVER): "these are the addresses that pods get there",
    (Fate.TOO_BIG, None): "this is how much fits; the sender learns it if ICMP gets back",
    (Fate.LOST, None): "this is where the two sides do not agree",
}
"""By how it ended, and who ended it; None stands for all others."""


class View(Value, frozen=True, kw_only=True):
    """How this reader wants it."""

    spell: SpellPlace
    paint: Paint = paint_plain


def describe_trace(story: Story, answer: Story | None, start: Start, view: View) -> str:
    """Return a packet's whole way, that of its answer, and which line to look at if one failed."""
    parts = [describe_story(story, start, view)]
    if answer is not None:
        parts.append(describe_answer(answer, view))
    hints = (give_hint(each, view) for each in (story, answer) if each is not None)
    return "\n\n".join(parts) + "".join(f"\n{hint}" for hint in hints if hint)


def describe_story(story: Story, start: Start, view: View) -> str:
    """Return a packet's whole way: who sends it, each decision by host, how it ends."""
    title = view.paint("strong", f"{_describe_packet(story.packet)}, {_describe_start(start)}")
    return "\n".join((title, "", *_describe_steps(story.steps, view), _describe_end(story, view)))


def describe_answer(story: Story, view: View) -> str:
    """Return the way of the answer: in short, or whole when it does not arrive."""
    title = view.paint("strong", f"The answer: {_describe_packet(story.packet)}")
    tell = _shorten if story.fate in _GOOD else _describe_steps
    return "\n".join((title, "", *tell(story.steps, view), _describe_end(story, view)))


def give_hint(story: Story, view: View) -> str:
    """Return which line to look at; nothing where all is well."""
    if story.fate in _GOOD:
        return ""
    step = _find_culprit(story)
    if step is None or step.by is None:
        return "hint: no document decides this; look at the host itself"
    where = neutralise(f"{view.spell(step.by)} ({spell_path(step.by.path)})")
    why = _HINTS.get((story.fate, step.stage)) or _HINTS[story.fate, None]
    return f"hint: look at {where}: {why}"


def is_good(story: Story) -> bool:
    """Whether a packet ended as it should."""
    return story.fate in _GOOD


def _find_culprit(story: Story) -> Step | None:
    """Return the last decision that documents made; of a leak rather the route that led outside."""
    named = [step for step in story.steps if step.by is not None]
    routes = [step for step in named if step.stage is Stage.ROUTE]
    if story.fate is Fate.LEAKED and routes:
        return routes[-1]
    return named[-1] if named else None


def _describe_packet(packet: Packet) -> str:
    source = packet.source or "the host's own address"
    what: str = packet.protocol
    if packet.protocol is not Protocol.ICMP:
        what += f" from port {packet.source_port} to {packet.destination_port}"
    fragment = ", do not fragment" if packet.dont_fragment else ""
    return f"{source} to {packet.destination}, {what}, {packet.size} bytes{fragment}"


def _describe_start(start: Start) -> str:
    match start.entry:
        case Entry.POD:
            return f"sent by a pod of {start.host}"
        case Entry.HOST:
            return f"sent by {start.host} itself"
        case Entry.OUTSIDE:
            return f"come to {start.host} from outside, in clear"
        case Entry.PEER:
            return f"encrypted by {start.peer} for {start.host}"


def _describe_steps(steps: tuple[Step, ...], view: View) -> Iterator[str]:
    """Yield each host's decisions below its name: the stage, the decision, what decided."""
    width = min(max(len(step.decision) for step in steps), _WIDEST)
    for host, decided in groupby(steps, key=lambda step: step.host):
        yield view.paint("strong", neutralise(host))
        for step in decided:
            place = "" if step.by is None else view.paint("faint", neutralise(view.spell(step.by)))
            decision = neutralise(step.decision)
            yield f"  {step.stage:<{_STAGES}}  {decision:<{width}}  {place}".rstrip()
        yield ""


def _shorten(steps: tuple[Step, ...], view: View) -> Iterator[str]:
    """Yield one line for each host: what it translates, and where it sends."""
    width = max(len(step.host) for step in steps)
    for host, decided in groupby(steps, key=lambda step: step.host):
        told = [
            neutralise(step.decision)
            for step in decided
            if step.stage in _WAY or (step.stage is Stage.NAT and not step.by)
        ]
        yield f"  {view.paint('strong', f'{neutralise(host):<{width}}')}  {'; '.join(told)}"
    yield ""


def _describe_end(story: Story, view: View) -> str:
    style = "good" if story.fate in _GOOD else "error"
    ending = _ENDINGS[story.fate].format(host=story.host, to=story.arrived.destination)
    head, colon, tail = neutralise(ending).partition(":")
    return f"{view.paint(style, head)}{colon}{tail}"
