"""What the server's refusals become, where its own words leave out what an operator needs."""

from typing import Any

from wormhole.cluster.refusal import parse_status

PATCH = "PATCH /apis/wormhole.dev/v1alpha1/meshnodes/node-a"


def forbid(message: str, **details: str) -> str:
    status: dict[str, Any] = {"code": 403, "reason": "Forbidden", "message": message}
    return str(parse_status(PATCH, status | {"details": details}))


def test_applying_what_is_not_there_names_the_right_to_create() -> None:
    said = forbid('meshnodes.wormhole.dev "node-a" is forbidden: ', kind="meshnodes")
    assert said == (
        f'{PATCH}: 403 Forbidden: meshnodes.wormhole.dev "node-a" is forbidden: it is not there'
        ' yet, and the account cannot create resource "meshnodes"'
    )


def test_a_refusal_that_says_why_is_left_as_it_is() -> None:
    message = 'meshnodes.wormhole.dev "node-a" is forbidden: User "x" cannot patch resource'
    assert forbid(message, kind="meshnodes") == f"{PATCH}: 403 Forbidden: {message}"


def test_without_details_the_right_is_named_all_the_same() -> None:
    said = forbid('meshnodes.wormhole.dev "node-a" is forbidden: ')
    assert said.endswith("it is not there yet, and the account cannot create it")
