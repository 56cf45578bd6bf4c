"""From one raw Shopify node to one published object, a noun a file.

The promise: nothing that Shopify's GraphQL schema allows makes a normaliser raise, except `Unusable` for an object
that cannot be published at all; what cannot be used is named in `Findings`. Absent keys are nulls. Lone surrogates
cannot arrive: JSON decoders refuse them. Reading nodes from Shopify belongs to `shopify`, joining them to `refresh`.
"""

from salesbot_pipelines.catalog.normalise.collection import normalise_collection
from salesbot_pipelines.catalog.normalise.context import Levels, Raw, ShopContext
from salesbot_pipelines.catalog.normalise.discount import normalise_discount
from salesbot_pipelines.catalog.normalise.findings import Findings, Unusable
from salesbot_pipelines.catalog.normalise.location import normalise_location
from salesbot_pipelines.catalog.normalise.product import is_sellable, normalise_product
from salesbot_pipelines.catalog.normalise.raw import nodes_of
from salesbot_pipelines.catalog.normalise.shop import normalise_shop

__all__ = [
    "Findings",
    "Levels",
    "Raw",
    "ShopContext",
    "Unusable",
    "is_sellable",
    "nodes_of",
    "normalise_collection",
    "normalise_discount",
    "normalise_location",
    "normalise_product",
    "normalise_shop",
]
