"""A small, faithful Shopify on loopback: the other side of the wire for the demo and the tests.

It answers the Admin GraphQL API with Shopify's prices, refusals and oddities, grants OAuth tokens,
sends signed webhooks and runs bulk operations, over worlds of invented shops or any product export.

It imports nothing of this project: a rule misread in one place must not be misread on both sides of
the wire. `server` opens it, `world` fills it, `faults` breaks it on purpose.
"""
