"""jobs"""

from alembic import op

from clew.migrate import install

revision = "0004_jobs"
down_revision = "0003_log_changes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    install(op, 5, since=3)


def downgrade() -> None:
    install(op, 3, since=5)
