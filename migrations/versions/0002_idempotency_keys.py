"""idempotency keys"""

from alembic import op

from clew.migrate import install

revision = "0002_idempotency_keys"
down_revision = "0001_initial"
branch_labels = None
depends_on = None


def upgrade() -> None:
    install(op, 2, since=1)


def downgrade() -> None:
    install(op, 1, since=2)
