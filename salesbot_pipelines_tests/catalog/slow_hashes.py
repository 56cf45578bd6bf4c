"""The hashes once more, by their definition: drop keys, sort, dump, hash. It shares nothing with the fast one."""

import hashlib
import json


def slow_json(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(part) for key, part in value.items() if key not in ("updated_at", "content_hash")}
    if isinstance(value, list):
        return [without_times(part) for part in value]
    return value


def slow_content_hash(product):
    return "sha256:" + hashlib.sha256(slow_json(without_times(product))).hexdigest()


def slow_revision(document):
    content = {key: document[key] for key in ("shop", "locations", "products", "collections", "discounts")}
    return "sha256:" + hashlib.sha256(slow_json(without_times(content))).hexdigest()
