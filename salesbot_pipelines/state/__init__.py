"""What the program must remember: installs, leases, the inbox, sessions, control events.

SQLAlchemy Core; one SQL for SQLite (the embedded default) and PostgreSQL. The room's promise: what a
call says it stored has been committed, and every database error leaves as a `StateError`.
Nothing here calls Shopify or the object store, and nothing here knows Dagster.
"""
