"""One shop of the world, and what its merchant does there: change a price, sell a piece, throw a product out.

Every verb keeps the shop whole (counts, price ranges, `updatedAt`), tells the listeners, and may be called from any
thread. Objects are named by global id, by number, or by the digits of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import payloads
from .build_parts import BORN
from .build_products import NewVariant, add_product, level, set_quantity, summarise
from .ids import gid, split_gid
from .shop_tables import API_VERSIONS, ShopTables, static_token
from .tables import Node, Table

if TYPE_CHECKING:
    from .bulk import BulkDesk

__all__ = ["API_VERSIONS", "NoSuchObject", "Shop", "static_token"]

Name = str | int


class NoSuchObject(KeyError):
    """The shop has nothing of that name."""


def number_named(name: Name) -> int:
    """Return the number of an object named by global id, number or digits."""
    if isinstance(name, int):
        return name
    wanted = split_gid(name)
    if wanted is not None:
        return wanted[1]
    if not name.isdigit():
        raise NoSuchObject(name)
    return int(name)


def _own(table: Table, name: Name) -> Node:
    node = table.own(number_named(name))
    if node is None:
        raise NoSuchObject(name)
    return node


class Shop(ShopTables):
    """A shop that can be changed. `bulk` is the desk of the world it stands in."""

    bulk: BulkDesk | None = None

    def set_price(self, variant: Name, price: str, *, compare_at: str | None = None) -> Node:
        """Change a variant's price; return its product."""
        with self.lock:
            product, node = self.variant_named(variant)
            node["price"], node["compareAtPrice"] = price, compare_at or node["compareAtPrice"]
            node["updatedAt"] = self.stamp()
            return self._changed_product(product)

    def set_stock(
        self, variant: Name, available: int, *, location: Name | None = None, tell_product: bool = False
    ) -> Node:
        """Set how many pieces lie at a location (the first, without one); return the product.

        Only inventory_levels/update is told, as after a purchase; `tell_product` adds products/update.
        """
        with self.lock:
            product, node = self.variant_named(variant)
            item = _own(self.items, node["inventoryItem"]["id"])
            node["inventoryItem"] = item
            place = number_named(location) if location is not None else self._first_location()
            found = next((entry for entry in item["inventoryLevels"] if entry["_location"] == place), None)
            if found is None:
                found = level(number_named(item["id"]), place, available)
                item["inventoryLevels"].append(found)
            found["_quantities"]["available"] = found["_quantities"]["on_hand"] = available
            found["updatedAt"] = item["updatedAt"] = product["updatedAt"] = self.stamp()
            set_quantity(node, sum(entry["_quantities"]["available"] for entry in item["inventoryLevels"]))
            summarise(product, self.currency)
            self.tell("inventory_levels/update", payloads.level(found))
            if tell_product:
                self.tell("products/update", payloads.product(product))
            return product

    def update_product(self, product: Name, **fields: Any) -> Node:
        """Change a product's own fields, named as in the API."""
        with self.lock:
            node = _own(self.products, product)
            node.update(fields)
            if fields.get("status", "ACTIVE") not in ("ACTIVE", "UNLISTED"):
                node["publishedAt"] = node["onlineStoreUrl"] = None
            return self._changed_product(node)

    def publish(self, product: Name, *, published: bool = True) -> Node:
        """Put a product on the online store, or take it off."""
        at = self.stamp() if published else None
        with self.lock:
            url = f"{self.node['url']}/products/{_own(self.products, product)['handle']}" if published else None
            return self.update_product(product, publishedAt=at, onlineStoreUrl=url)

    def create_product(self, title: str, price: str = "10.00", *, stock: int = 1, **fields: Any) -> Node:
        """Add a product of one variant, stocked at the first location; return it."""
        with self.lock:
            variant = NewVariant(price, stock={self._first_location(): stock})
            product = add_product(self, title, [variant], at=self.stamp(), **fields)
            self._event("create", "PRODUCT", product["id"])
            self.tell("products/create", payloads.product(product))
            return product

    def delete_product(self, product: Name) -> None:
        """Throw a product out, with its variants and their stock."""
        with self.lock:
            node = _own(self.products, product)
            for variant in node["variants"]:
                self.items.remove(number_named(variant["inventoryItem"]["id"]))
                self.variants.remove(number_named(variant["id"]))
            self.products.remove(number_named(node["id"]))
            for collection in self.all("collections"):
                members = collection["_members"]
                if number_named(node["id"]) in members:
                    collection["_members"] = [member for member in members if member != number_named(node["id"])]
            self.take_out_of_discounts(*(number_named(gone["id"]) for gone in (node, *node["variants"])))
            self._event("destroy", "PRODUCT", node["id"])
            self.tell("products/delete", {"id": number_named(node["id"])})

    def take_out_of_discounts(self, *gone: int) -> None:
        """Let no discount name these products and variants any more."""
        for discount in self.all("discounts"):
            for side in ("customerGets", "customerBuys"):
                items = (discount["discount"].get(side) or {}).get("items") or {}
                for chosen in items.keys() & {"_products", "_variants"}:
                    items[chosen] = [number for number in items[chosen] if number not in gone]

    def move_product(self, product: Name, collection: Name, position: int) -> None:
        """Put a product at a place (from 0) of a collection chosen by hand; adds it if it was not there."""
        self.rearrange(collection, lambda members: members.insert(position, number_named(product)), without=product)

    def remove_from_collection(self, product: Name, collection: Name) -> None:
        """Take a product out of a collection chosen by hand."""
        self.rearrange(collection, lambda _members: None, without=product)

    def rearrange(self, collection: Name, change: Any, *, without: Name | None = None) -> None:
        """Apply `change` to the list of a collection's product numbers, after taking `without` out of it."""
        with self.lock:
            node = _own(self.collections, collection)
            left_out = None if without is None else number_named(without)
            members = [member for member in node["_members"] if member != left_out]
            change(members)
            node["_members"] = members
            self._changed_collection(node)

    def update_collection(self, collection: Name, **fields: Any) -> Node:
        """Change a collection's own fields, named as in the API."""
        with self.lock:
            node = _own(self.collections, collection)
            node.update(fields)
            self._changed_collection(node)
            return node

    def delete_collection(self, collection: Name) -> None:
        """Throw a collection out; its products stay."""
        with self.lock:
            node = _own(self.collections, collection)
            self.collections.remove(number_named(node["id"]))
            self._event("destroy", "COLLECTION", node["id"])
            self.tell("collections/delete", {"id": number_named(node["id"])})

    def update_discount(self, discount: Name, **fields: Any) -> Node:
        """Change a discount's fields, named as in the API."""
        with self.lock:
            node = _own(self.discounts, discount)
            node["discount"].update(fields, updatedAt=self.stamp())
            self.tell("discounts/update", payloads.discount(node))
            return node

    def delete_discount(self, discount: Name) -> None:
        """Throw a discount out."""
        with self.lock:
            node = _own(self.discounts, discount)
            self.discounts.remove(number_named(node["id"]))
            self._event("destroy", "DISCOUNT_NODE", node["id"])
            self.tell("discounts/delete", payloads.discount(node))

    def update_shop(self, **fields: Any) -> None:
        """Change the shop's own fields, named as in the API."""
        with self.lock:
            self.node.update(fields, updatedAt=self.stamp())
            self.tell("shop/update", payloads.shop(self.node))

    def grant(self, scopes: list[str]) -> None:
        """Let the app have exactly these scopes from now on."""
        with self.lock:
            previous, self.scopes = list(self.scopes), list(scopes)
            self.tell("app/scopes_update", {"id": self.installation["id"], "previous": previous, "current": scopes})

    def install(self, scopes: list[str] | None = None) -> None:
        """Let the app in, as the merchant's grant does."""
        with self.lock:
            self.is_installed, self.scopes = True, list(self.scopes if scopes is None else scopes)

    def uninstall(self) -> None:
        """Throw the app out: every token is dead, its subscriptions are told a last time and then gone."""
        with self.lock:
            self.is_installed = False
            self.tell("app/uninstalled", payloads.shop(self.node))
            for subscription in self.all("subscriptions"):
                self.subscriptions.remove(number_named(subscription["id"]))

    def freeze(self, status: int = 402) -> None:
        """Answer everything with `status`: 402 frozen, 423 locked, 403 forbidden, 404 gone."""
        self.frozen_status = status

    def thaw(self) -> None:
        """Answer again."""
        self.frozen_status = None

    def product_named(self, name: Name) -> Node:
        """Return a product to change; raises NoSuchObject."""
        return _own(self.products, name)

    def variant_named(self, name: Name) -> tuple[Node, Node]:
        """Return the product that holds a variant, and the variant in it."""
        number = number_named(name)
        found = self.variants.get(number)
        if found is None:
            raise NoSuchObject(name)
        product = _own(self.products, found["_product"])
        variant = next(entry for entry in product["variants"] if number_named(entry["id"]) == number)
        return product, variant

    def _first_location(self) -> int:
        locations = self.all("locations")
        if not locations:
            raise NoSuchObject("the shop has no location")
        return number_named(locations[0]["id"])

    def _changed_product(self, product: Node) -> Node:
        product["updatedAt"] = self.stamp()
        summarise(product, self.currency)
        self.tell("products/update", payloads.product(product))
        return product

    def _changed_collection(self, collection: Node) -> None:
        collection["updatedAt"] = self.stamp()
        self.tell("collections/update", payloads.collection(collection))

    def _event(self, action: str, kind: str, subject: str) -> None:
        number = self.next_number()
        self.events.put(
            number,
            {
                "__typename": "BasicEvent",
                "id": gid("BasicEvent", number),
                "action": action,
                "appTitle": None,
                "attributeToApp": False,
                "attributeToUser": True,
                "author": "The merchant",
                "createdAt": self.stamp() or BORN,
                "criticalAlert": False,
                "hasAdditionalContent": False,
                "message": f"{kind.title()}: {action}",
                "secondaryMessage": None,
                "subjectId": subject,
                "subjectType": kind,
            },
        )
