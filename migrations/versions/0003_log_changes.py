"""log changes

- log changes of agent_tags
- log changes of agents
- log changes of feedback_entries
- log changes of memberships
- log changes of messages
- log changes of runs
- log changes of tags
- log changes of teams
- log changes of threads
- log changes of tool_calls
- log changes of users
"""

from alembic import op

from clew.migrate import install

revision = "0003_log_changes"
down_revision = "0002_idempotency_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    install(op, 3, since=2)
    op.execute("SELECT clew.log_changes('agent_tags')")
    op.execute("SELECT clew.log_changes('agents')")
    op.execute("SELECT clew.log_changes('feedback_entries')")
    op.execute("SELECT clew.log_changes('memberships')")
    op.execute("SELECT clew.log_changes('messages')")
    op.execute("SELECT clew.log_changes('runs')")
    op.execute("SELECT clew.log_changes('tags')")
    op.execute("SELECT clew.log_changes('teams')")
    op.execute("SELECT clew.log_changes('threads')")
    op.execute("SELECT clew.log_changes('tool_calls')")
    op.execute("SELECT clew.log_changes('users')")


def downgrade() -> None:
    op.execute("SELECT clew.ignore_changes('users')")
    op.execute("SELECT clew.ignore_changes('tool_calls')")
    op.execute("SELECT clew.ignore_changes('threads')")
    op.execute("SELECT clew.ignore_changes('teams')")
    op.execute("SELECT clew.ignore_changes('tags')")
    op.execute("SELECT clew.ignore_changes('runs')")
    op.execute("SELECT clew.ignore_changes('messages')")
    op.execute("SELECT clew.ignore_changes('memberships')")
    op.execute("SELECT clew.ignore_changes('feedback_entries')")
    op.execute("SELECT clew.ignore_changes('agents')")
    op.execute("SELECT clew.ignore_changes('agent_tags')")
    install(op, 2, since=3)
