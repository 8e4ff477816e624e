"""What alembic runs to migrate: on the connection that it is given, in the transaction that connection is in."""

from alembic import context

from sluicegate.store.schema import METADATA, is_in

_connection = context.config.attributes["connection"]

context.configure(
    connection=_connection,
    include_object=lambda item, *_: is_in(_connection.dialect.name, item),
    target_metadata=METADATA,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
