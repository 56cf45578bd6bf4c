"""Canonical bytes and the two fingerprints, `content_hash` and `revision`.

The promise: same content, same bytes, same hash. Both hashes are sha256 over canonical JSON (UTF-8, keys sorted, no
blanks, nothing escaped that need not be) with every `updated_at` and `content_hash` left out, because Shopify moves
`updatedAt` on orders too. The fast way here encodes once and cuts the two keys out of the bytes. That is exact:
inside a JSON string a quote is written as `\\"`, so `,"updated_at":` can only ever be a key.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from salesbot_pipelines.catalog.model import Product

REVISION_SECTIONS = ("collections", "discounts", "locations", "products", "shop")
"""What a revision covers, in the order of canonical JSON."""

_UPDATED_AT = b',"updated_at":'
_CONTENT_HASH = b',"content_hash":'
_as_declared = msgspec.json.Encoder()
_in_order = msgspec.json.Encoder(order="sorted")


def canonical_json(value: msgspec.Struct | dict[str, object] | list[object]) -> bytes:
    """Write a published object as canonical JSON, without a newline."""
    # Products are the bulk of a document; nothing in them is tagged or a dict: declared order is sorted order.
    if type(value) is Product:
        return _as_declared.encode(value)
    return _in_order.encode(value)


def seal_product(product: Product) -> bytes:
    """Put the product's content_hash into it, and return its canonical line, encoded once."""
    product.content_hash = ""
    head, tail = _as_declared.encode(product).split(b',"content_hash":""', 1)
    digest = sha256(_without(head, _UPDATED_AT))
    digest.update(_without(tail, _UPDATED_AT))
    product.content_hash = f"sha256:{digest.hexdigest()}"
    return b'%b,"content_hash":"%b"%b' % (head, product.content_hash.encode(), tail)


def content_hash(product: Product) -> str:
    """Return the hash that `seal_product` puts into the product, which stays as it is."""
    return f"sha256:{sha256(hash_form(_as_declared.encode(product))).hexdigest()}"


def hash_form(line: bytes) -> bytes:
    """Cut every updated_at and content_hash out of one canonical line."""
    return _without(_without(line, _CONTENT_HASH), _UPDATED_AT)


def _without(line: bytes, key: bytes) -> bytes:
    pieces = line.split(key)
    for index in range(1, len(pieces)):
        piece = pieces[index]
        # The values of both keys hold no escapes: a time, a hash, or null.
        end = 4 if piece.startswith(b"null") else piece.index(b'"', 1) + 1
        pieces[index] = piece[end:]
    return b"".join(pieces)


class Revision:
    """The hash of a whole catalogue, fed some lines at a time in the order of `REVISION_SECTIONS`; holds none."""

    def __init__(self) -> None:
        self._digest = sha256(b'{"collections":[')
        self._section = 0
        self._is_first = True
        self._text: str | None = None

    def add(self, section: str, lines: bytes) -> None:
        """Feed canonical lines of a section, commas between them; a ValueError says that sections came out of order.

        Sections that hold nothing need no call. The shop is one line, and the last.
        """
        wanted = REVISION_SECTIONS.index(section)
        if self._text is not None or wanted < self._section:
            raise ValueError(f"{section} comes too late: the order is {', '.join(REVISION_SECTIONS)}")
        while self._section < wanted:
            self._section += 1
            opening = b"" if section == "shop" and self._section == wanted else b"["
            self._digest.update(b'],"%b":%b' % (REVISION_SECTIONS[self._section].encode(), opening))
            self._is_first = True
        if not self._is_first:
            self._digest.update(b",")
        self._is_first = False
        self._digest.update(hash_form(lines))
        if section == "shop":
            self._digest.update(b"}")
            self._text = f"sha256:{self._digest.hexdigest()}"

    def text(self) -> str:
        """Return `sha256:...`; a ValueError says that the shop's line, the last one, is missing."""
        if self._text is None:
            raise ValueError("the revision is not finished: the shop's line is missing")
        return self._text
