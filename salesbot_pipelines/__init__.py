"""Keeps one truthful `shopify_data.json` per connected shop in DigitalOcean Spaces.

The floors, top to bottom: `cli`; `definitions` and `sandbox`; `defs` and `receiver`; `refresh`;
`state`, `spaces` and `shopify`; `catalog`; `settings`; `errors`. Each imports only downward.
This file imports nothing, so that the receiver never pays for Dagster or pandas.
"""
