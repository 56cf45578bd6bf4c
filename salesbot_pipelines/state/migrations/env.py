"""What Alembic runs for each command: the migrations, on the connection that `migrate` hands over."""

from alembic import context

from salesbot_pipelines.state.tables import metadata

# The connection is already in the transaction that holds the lock, so Alembic neither begins nor
# commits: a step that fails leaves the schema as it was, on SQLite too.
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
