"""Count the rules or routes that one difference makes."""

from review.changes.delta import Delta


def rules_of(delta: Delta) -> int:
    """Return how many firewall rules come or go."""
    match delta.path:
        case ("firewall", str(), int(), "rules", int()):
            return 1
        case ("firewall", str(), int()):
            return len(delta.value.rules)
        case _:
            return 0


def routes_of(delta: Delta) -> int:
    """Return how many routes come or go."""
    match delta.path:
        case ("routes", int()):
            return 1
        case _:
            return 0
