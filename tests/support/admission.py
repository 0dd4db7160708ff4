"""A ValidatingAdmissionPolicy and a request to what the API server would say, with CEL in Python.

The API server that the tests have is older than the kind. What is played here is what
``k8s.io/apiserver/pkg/admission/plugin/policy/validating`` does with one policy: match, conditions,
variables in order (each sees those before it), then every validation.
"""

from typing import Any

import celpy
from celpy.celtypes import Value

Object = dict[str, Any]


def judge(policy: Object, request: Object, parameter: Object | None = None) -> list[str]:
    """Return the message of each validation that refuses; empty: the policy lets it pass.

    ``request`` is an ``admission.k8s.io/v1`` AdmissionRequest, its ``object`` and ``oldObject``
    None where there is none. ``parameter`` is one object of the policy's ``paramKind``; each that a
    binding selects is judged by, and with none a binding may let everything pass.
    """
    spec = policy["spec"]
    if not any(_matches(rule, request) for rule in spec["matchConstraints"]["resourceRules"]):
        return []
    known = _know(request) | {"params": celpy.json_to_cel(parameter)}
    if not all(_evaluate(each["expression"], known) for each in spec.get("matchConditions", ())):
        return []
    variables: dict[str, Value] = {}
    for each in spec.get("variables", ()):
        known["variables"] = celpy.celtypes.MapType(
            {celpy.celtypes.StringType(name): value for name, value in variables.items()}
        )
        variables[each["name"]] = _evaluate(each["expression"], known)
    known["variables"] = celpy.celtypes.MapType(
        {celpy.celtypes.StringType(name): value for name, value in variables.items()}
    )
    return [
        str(_evaluate(each["messageExpression"], known))
        if "messageExpression" in each
        else each["message"]
        for each in spec["validations"]
        if not _evaluate(each["expression"], known)
    ]


def _matches(rule: Object, request: Object) -> bool:
    resource = "/".join(filter(None, (request["resource"]["resource"], request["subResource"])))
    return (
        request["resource"]["group"] in rule["apiGroups"]
        and rule["apiVersions"] == ["*"]
        and resource in rule["resources"]
        and request["operation"] in rule["operations"]
        and request["name"] in rule.get("resourceNames", [request["name"]])
        and (rule["scope"] == "Namespaced") == bool(request["namespace"])
    )


def _know(request: Object) -> dict[str, Value]:
    return {
        "request": celpy.json_to_cel(request),
        "object": celpy.json_to_cel(request["object"]),
        "oldObject": celpy.json_to_cel(request["oldObject"]),
    }


def _evaluate(expression: str, known: dict[str, Value]) -> Value:
    """Return what an expression says; one that cannot be evaluated raises, and would deny."""
    environment = celpy.Environment()
    return environment.program(environment.compile(expression)).evaluate(known)
