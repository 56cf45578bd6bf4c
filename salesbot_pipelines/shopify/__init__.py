"""What is true because Shopify says so: domains, tokens, the API's client, reading a whole shop, OAuth, webhooks.

The promise: a shop is read completely or the reader says what is missing, and Shopify is never pushed. Nothing here
knows what becomes of the nodes read: their published shape is made in `catalog`, and where they lie is up to the
caller.
"""
