"""Derives `stripe_schema.json`, the small part of Stripe's published schema that the tests use.

    go mod download -json github.com/stripe/stripe-mock@v0.203.0
    python tests/deploy/sandbox/make_schema.py <Dir of that module>/embedded/openapi/spec3.json

Kept: required keys, types, enums, nullability and references of the objects that the sandbox
serves, and the parameter names of its requests. Unknown keys are refused (`additionalProperties`
false). Dropped: every description, and what names objects the sandbox does not serve.
"""

import json
import sys
from pathlib import Path
from typing import Any

SOURCE = "github.com/stripe/stripe-mock@v0.203.0 embedded/openapi/spec3.json (MIT licence)"
TARGET = Path(__file__).with_name("stripe_schema.json")
SERVED = [
    "account",
    "account_link",
    "application",
    "application_fee",
    "balance",
    "balance_transaction",
    "bank_account",
    "capability",
    "charge",
    "deleted_account",
    "deleted_bank_account",
    "deleted_webhook_endpoint",
    "dispute",
    "error",
    "event",
    "fee_refund",
    "payment_intent",
    "payment_method",
    "payout",
    "radar.early_fraud_warning",
    "refund",
    "webhook_endpoint",
]
# Of these unions by name only the members for cards and the served debits are kept.
DEBITS = {"bacs_debit", "sepa_debit", "us_bank_account"}
CARDS_ONLY = {
    "dispute_payment_method_details": {"card", "type"},
    "payment_method_details": {"card", "type"} | DEBITS,
    "refund_destination_details": {"card", "type"},
    "payment_method": {"billing_details", "created", "customer", "customer_account", "id", "type"}
    | {"allow_redisplay", "card", "livemode", "metadata", "object"}
    | DEBITS,
    "payment_intent_next_action": {"redirect_to_url", "type", "use_stripe_sdk"},
    "payment_intent_payment_method_options": {"card"} | DEBITS,
}
# Sent by Stripe, absent from the published schema: seen in its own fixtures.
UNPUBLISHED = {"payment_intent": ["source"], "charge": ["source"]}
DROPPED = {"account": {"company", "individual", "groups"}}
KEPT = ("type", "enum", "required", "format")


def convert(node: dict[str, Any], components: dict[str, Any], used: set[str]) -> Any:
    """Return the JSON Schema (2020-12) of an OpenAPI schema; False for what is not served."""
    if "$ref" in node:
        name = node["$ref"].rsplit("/", 1)[1]
        if "x-resourceId" in components[name] and name not in SERVED:
            return False
        used.add(name)
        schema: Any = {"$ref": f"#/$defs/{name}"}
    elif "anyOf" in node:
        choices = [convert(choice, components, used) for choice in node["anyOf"]]
        usable = [choice for choice in choices if choice is not False]
        schema = {"anyOf": usable} if usable else False
    else:
        schema = {key: node[key] for key in KEPT if key in node}
        if "items" in node:
            schema["items"] = convert(node["items"], components, used)
        if isinstance(node.get("additionalProperties"), dict):
            schema["additionalProperties"] = convert(node["additionalProperties"], components, used)
        if "properties" in node:
            schema["properties"] = {
                name: convert(inner, components, used) for name, inner in node["properties"].items()
            }
            schema.setdefault("additionalProperties", False)
    if node.get("nullable"):
        return {"anyOf": [schema, {"type": "null"}]} if schema is not False else {"type": "null"}
    return schema


def definitions(components: dict[str, Any]) -> dict[str, Any]:
    """Return the closure of the served objects."""
    found: dict[str, Any] = {}
    waiting = set(SERVED)
    while waiting:
        name = waiting.pop()
        source = dict(components[name])
        properties = source.get("properties", {})
        kept = CARDS_ONLY.get(name, set(properties)) - DROPPED.get(name, set())
        source["properties"] = {key: properties[key] for key in properties if key in kept}
        used: set[str] = set()
        found[name] = convert(source, components, used)
        for key in UNPUBLISHED.get(name, []):
            found[name]["properties"][key] = {"type": "null"}
        waiting |= used - set(found)
    return found


def parameter_names(operation: dict[str, Any]) -> list[str]:
    """Return the names that Stripe publishes for a request: query and form parameters."""
    names = {item["name"] for item in operation.get("parameters", []) if item["in"] == "query"}
    content = operation.get("requestBody", {}).get("content", {})
    form = content.get("application/x-www-form-urlencoded", {}).get("schema", {})
    return sorted(names | set(form.get("properties", {})))


def requests(paths: dict[str, Any]) -> dict[str, list[str]]:
    """Return parameter names by `METHOD /path/{}` for the families that the sandbox serves."""
    families = {f"{name}s" for name in SERVED} | {"account", "balance"}
    found = {}
    for path, operations in paths.items():
        segments = path.split("/")
        if segments[2] not in families or len(segments) > 6:
            continue
        plain = "/".join("{}" if part.startswith("{") else part for part in segments)
        for method, operation in operations.items():
            found[f"{method.upper()} {plain}"] = parameter_names(operation)
    return dict(sorted(found.items()))


def main() -> None:
    """Read the published document and write the derived one."""
    document = json.loads(Path(sys.argv[1]).read_text())
    derived = {
        "source": SOURCE,
        "api_version": document["info"]["version"],
        "$defs": dict(sorted(definitions(document["components"]["schemas"]).items())),
        "requests": requests(document["paths"]),
    }
    TARGET.write_text(json.dumps(derived, indent=0, separators=(",", ":"), sort_keys=True) + "\n")
    print(f"{TARGET.name}: {len(derived['$defs'])} schemas, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
