"""The schema's history, for Alembic. Run by `salesbot_pipelines.state.engine.migrate`, never by hand.

A migration that has been released is never edited: a change is a new file in `versions/`.
"""
