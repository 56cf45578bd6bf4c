"""The one use case: refresh a shop.

Lease, fetch, normalise, judge, publish, done; for one shop, without Dagster. A schedule, a webhook, an
analyst's backfill and the command line all come through here, so there is one way in which a document
is made and one place where it can go wrong. `use_case` tells the story, `batch` runs many shops at once;
`fetching`, `assembly`, `normalising`, `judgement`, `publishing` and `credentials` do the work.
"""
