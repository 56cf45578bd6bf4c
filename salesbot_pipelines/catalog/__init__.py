"""What SalesBot reads: the published contract, and how Shopify's answers become it.

Everything here is pure: no file, no network, no clock, no framework. `model` says what is published, `normalise`
turns one raw Shopify node into one published object, `hashing` gives both their fingerprints, `problems` judges
whether a whole reading is fit to be published, and `changes` tells two published catalogues apart. Import the
concrete modules: this package re-exports nothing.
"""
