"""initial

- create table agent_tags
- create table agents
- create table feedback_entries
- create table memberships
- create table messages
- create table runs
- create table tags
- create table teams
- create table threads
- create table tool_calls
- create table users
- create view agent_usages
"""

from alembic import op

from clew.migrate import install

revision = "0001_initial"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    install(op, 1)
    op.execute("""
CREATE OR REPLACE FUNCTION clew.touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $touch$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$touch$
""")
    op.execute("""
CREATE TABLE agent_tags (
    agent_id UUID NOT NULL,
    tag_id UUID NOT NULL,
    CONSTRAINT agent_tags_pkey PRIMARY KEY (agent_id, tag_id)
)
""")
    op.execute("CREATE INDEX agent_tags_tag_id_idx ON agent_tags USING btree (tag_id)")
    op.execute("""
CREATE TABLE agents (
    id UUID DEFAULT clew.uuid_v7() NOT NULL,
    team_id UUID NOT NULL,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    description TEXT,
    instructions TEXT NOT NULL,
    model TEXT NOT NULL,
    temperature DOUBLE PRECISION DEFAULT 0.7 NOT NULL,
    tools TEXT[] DEFAULT '{}'::text[] NOT NULL,
    settings JSONB DEFAULT '{}'::jsonb NOT NULL,
    status TEXT DEFAULT 'DRAFT' NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    search_vector TSVECTOR GENERATED ALWAYS AS (setweight(to_tsvector('english'::regconfig, coalesce(name, '')), 'A') || setweight(to_tsvector('english'::regconfig, coalesce(description, '')), 'B')) STORED,
    CONSTRAINT agents_pkey PRIMARY KEY (id),
    CONSTRAINT agents_slug_7ab26a0f_check CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    CONSTRAINT agents_status_e8cd7565_check CHECK (status IN ('DRAFT', 'LIVE', 'RETIRED')),
    CONSTRAINT agents_team_id_slug_key UNIQUE (team_id, slug),
    CONSTRAINT agents_temperature_719694b9_check CHECK (temperature BETWEEN 0 AND 2)
)
""")
    op.execute("""
COMMENT ON TABLE agents IS 'An assistant that a team has set up: a prompt, a model and the tools it may call.'
""")
    op.execute("COMMENT ON COLUMN agents.slug IS 'Unique within the team.'")
    op.execute("COMMENT ON COLUMN agents.description IS 'One or two sentences on what the agent is for.'")
    op.execute("COMMENT ON COLUMN agents.instructions IS 'The text that the model reads before every conversation.'")
    op.execute("COMMENT ON COLUMN agents.model IS 'The model''s name, as in `modelPricing`.'")
    op.execute("COMMENT ON COLUMN agents.temperature IS '0 is predictable, 2 is wild.'")
    op.execute("COMMENT ON COLUMN agents.tools IS 'The names of the tools that the agent may call.'")
    op.execute("COMMENT ON COLUMN agents.settings IS 'Settings that only the runtime understands.'")
    op.execute("""
COMMENT ON COLUMN agents.version IS 'Increases with every update. Pass it as `ifVersion` to notice a concurrent edit.'
""")
    op.execute("CREATE INDEX agents_search_vector_idx ON agents USING gin (search_vector)")
    op.execute("CREATE INDEX agents_status_created_at_idx ON agents USING btree (status, created_at)")
    op.execute("""
CREATE TABLE feedback_entries (
    id UUID DEFAULT clew.uuid_v7() NOT NULL,
    run_id UUID NOT NULL,
    user_id UUID NOT NULL,
    rating INTEGER NOT NULL,
    comment TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT feedback_entries_pkey PRIMARY KEY (id),
    CONSTRAINT feedback_entries_rating_4a8f84d0_check CHECK (rating BETWEEN 1 AND 5),
    CONSTRAINT feedback_entries_run_id_key UNIQUE (run_id)
)
""")
    op.execute("COMMENT ON TABLE feedback_entries IS 'A person''s rating of an answer.'")
    op.execute("COMMENT ON COLUMN feedback_entries.rating IS '1 is bad, 5 is excellent.'")
    op.execute("CREATE INDEX feedback_entries_user_id_idx ON feedback_entries USING btree (user_id)")
    op.execute("""
CREATE TABLE memberships (
    team_id UUID NOT NULL,
    user_id UUID NOT NULL,
    role TEXT DEFAULT 'VIEWER' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT memberships_pkey PRIMARY KEY (team_id, user_id),
    CONSTRAINT memberships_role_7bfee143_check CHECK (role IN ('OWNER', 'EDITOR', 'VIEWER'))
)
""")
    op.execute("COMMENT ON TABLE memberships IS 'The membership of one person in one team.'")
    op.execute("CREATE INDEX memberships_user_id_idx ON memberships USING btree (user_id)")
    op.execute("""
CREATE TABLE messages (
    id UUID DEFAULT clew.uuid_v7() NOT NULL,
    thread_id UUID NOT NULL,
    position INTEGER NOT NULL,
    author TEXT NOT NULL,
    content TEXT NOT NULL,
    run_id UUID,
    deleted_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    search_vector TSVECTOR GENERATED ALWAYS AS (setweight(to_tsvector('english'::regconfig, coalesce(content, '')), 'D')) STORED,
    CONSTRAINT messages_author_7aed65c4_check CHECK (author IN ('USER', 'ASSISTANT', 'SYSTEM')),
    CONSTRAINT messages_content_e4707958_check CHECK (content <> ''),
    CONSTRAINT messages_pkey PRIMARY KEY (id),
    CONSTRAINT messages_position_4655559b_check CHECK (position > 0)
)
""")
    op.execute("COMMENT ON TABLE messages IS 'One turn of a conversation.'")
    op.execute("COMMENT ON COLUMN messages.position IS 'Counts from 1 within the thread.'")
    op.execute("CREATE INDEX messages_run_id_idx ON messages USING btree (run_id)")
    op.execute("CREATE INDEX messages_search_vector_idx ON messages USING gin (search_vector)")
    op.execute("CREATE INDEX messages_thread_id_idx ON messages USING btree (thread_id)")
    op.execute("""
CREATE UNIQUE INDEX messages_thread_id_position_key ON messages USING btree (thread_id, position) WHERE deleted_at IS NULL
""")
    op.execute("""
CREATE TABLE runs (
    id UUID DEFAULT clew.uuid_v7() NOT NULL,
    agent_id UUID NOT NULL,
    thread_id UUID,
    status TEXT DEFAULT 'QUEUED' NOT NULL,
    model TEXT NOT NULL,
    prompt_tokens INTEGER DEFAULT 0 NOT NULL,
    completion_tokens INTEGER DEFAULT 0 NOT NULL,
    cost NUMERIC(12, 6) DEFAULT 0 NOT NULL,
    error TEXT,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT runs_0f84962d_check CHECK (finished_at >= started_at),
    CONSTRAINT runs_completion_tokens_8b110010_check CHECK (completion_tokens >= 0),
    CONSTRAINT runs_cost_5545ea1d_check CHECK (cost >= 0),
    CONSTRAINT runs_pkey PRIMARY KEY (id),
    CONSTRAINT runs_prompt_tokens_ab6cbaa2_check CHECK (prompt_tokens >= 0),
    CONSTRAINT runs_status_499fd51c_check CHECK (status IN ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED'))
)
""")
    op.execute("""
COMMENT ON TABLE runs IS 'One answer of an agent, with its cost, its duration and its tool calls.'
""")
    op.execute("COMMENT ON COLUMN runs.cost IS 'In US dollars.'")
    op.execute("COMMENT ON COLUMN runs.error IS 'The error message for the user.'")
    op.execute("CREATE INDEX runs_agent_id_created_at_idx ON runs USING btree (agent_id, created_at)")
    op.execute("""
CREATE INDEX runs_created_at_27d71132_idx ON runs USING btree (created_at) WHERE status IN ('QUEUED', 'RUNNING')
""")
    op.execute("CREATE INDEX runs_thread_id_created_at_idx ON runs USING btree (thread_id, created_at)")
    op.execute("""
CREATE TABLE tags (
    id UUID DEFAULT clew.uuid_v7() NOT NULL,
    name TEXT NOT NULL,
    color TEXT DEFAULT '#64748b' NOT NULL,
    CONSTRAINT tags_color_ba2b28b1_check CHECK (color ~ '^#[0-9a-f]{6}$'),
    CONSTRAINT tags_name_dd65f735_check CHECK (name ~ '^[a-z][a-z0-9 -]{1,29}$'),
    CONSTRAINT tags_name_key UNIQUE (name),
    CONSTRAINT tags_pkey PRIMARY KEY (id)
)
""")
    op.execute("COMMENT ON TABLE tags IS 'A word for finding agents.'")
    op.execute("COMMENT ON COLUMN tags.color IS 'A colour for the tag, as #rrggbb.'")
    op.execute("""
CREATE TABLE teams (
    id UUID DEFAULT clew.uuid_v7() NOT NULL,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    plan TEXT DEFAULT 'FREE' NOT NULL,
    monthly_budget NUMERIC(10, 2),
    billing_reference TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT teams_monthly_budget_d9ade9fe_check CHECK (monthly_budget >= 0),
    CONSTRAINT teams_name_635b3d23_check CHECK (length(name) BETWEEN 2 AND 80),
    CONSTRAINT teams_pkey PRIMARY KEY (id),
    CONSTRAINT teams_plan_427be056_check CHECK (plan IN ('FREE', 'PRO', 'BUSINESS')),
    CONSTRAINT teams_slug_7ab26a0f_check CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$'),
    CONSTRAINT teams_slug_key UNIQUE (slug)
)
""")
    op.execute("COMMENT ON TABLE teams IS 'A group of people who share agents and one bill.'")
    op.execute("COMMENT ON COLUMN teams.slug IS 'The team''s name in URLs.'")
    op.execute("""
COMMENT ON COLUMN teams.monthly_budget IS 'The most US dollars that the team may spend in a month; null means no limit.'
""")
    op.execute("COMMENT ON COLUMN teams.billing_reference IS 'The customer number at the payment provider.'")
    op.execute("""
CREATE TABLE threads (
    id UUID DEFAULT clew.uuid_v7() NOT NULL,
    owner_id UUID NOT NULL,
    agent_id UUID NOT NULL,
    title TEXT NOT NULL,
    pinned BOOLEAN DEFAULT false NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    search_vector TSVECTOR GENERATED ALWAYS AS (setweight(to_tsvector('english'::regconfig, coalesce(title, '')), 'A')) STORED,
    CONSTRAINT threads_pkey PRIMARY KEY (id),
    CONSTRAINT threads_title_bd4f3d94_check CHECK (length(title) BETWEEN 1 AND 200)
)
""")
    op.execute("COMMENT ON TABLE threads IS 'A conversation of one person with one agent.'")
    op.execute("""
COMMENT ON COLUMN threads.deleted_at IS 'The time of deletion. `restoreThread` restores the thread with its messages.'
""")
    op.execute("CREATE INDEX threads_agent_id_created_at_idx ON threads USING btree (agent_id, created_at)")
    op.execute("CREATE INDEX threads_owner_id_updated_at_idx ON threads USING btree (owner_id, updated_at)")
    op.execute("CREATE INDEX threads_search_vector_idx ON threads USING gin (search_vector)")
    op.execute("""
CREATE TABLE tool_calls (
    id UUID DEFAULT clew.uuid_v7() NOT NULL,
    run_id UUID NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    status TEXT DEFAULT 'RUNNING' NOT NULL,
    arguments JSONB DEFAULT '{}'::jsonb NOT NULL,
    result JSONB,
    error TEXT,
    duration_ms INTEGER,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT tool_calls_duration_ms_2778fb68_check CHECK (duration_ms >= 0),
    CONSTRAINT tool_calls_pkey PRIMARY KEY (id),
    CONSTRAINT tool_calls_position_4655559b_check CHECK (position > 0),
    CONSTRAINT tool_calls_run_id_position_key UNIQUE (run_id, position),
    CONSTRAINT tool_calls_status_d747e520_check CHECK (status IN ('RUNNING', 'SUCCEEDED', 'FAILED'))
)
""")
    op.execute("COMMENT ON TABLE tool_calls IS 'One call of a tool within a run.'")
    op.execute("COMMENT ON COLUMN tool_calls.position IS 'Counts from 1 within the run.'")
    op.execute("COMMENT ON COLUMN tool_calls.name IS 'The tool''s name, one of its agent''s `tools`.'")
    op.execute("CREATE INDEX tool_calls_name_created_at_idx ON tool_calls USING btree (name, created_at)")
    op.execute(r"""
CREATE TABLE users (
    id UUID DEFAULT clew.uuid_v7() NOT NULL,
    email TEXT NOT NULL,
    given_name TEXT NOT NULL,
    family_name TEXT NOT NULL,
    time_zone TEXT DEFAULT 'UTC' NOT NULL,
    version INTEGER DEFAULT 1 NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT users_email_bd3b13b8_check CHECK (email ~ '^[^@\s]+@[^@\s]+\.[a-z]{2,}$'),
    CONSTRAINT users_email_key UNIQUE (email),
    CONSTRAINT users_given_name_219a2366_check CHECK (given_name <> ''),
    CONSTRAINT users_pkey PRIMARY KEY (id)
)
""")
    op.execute("COMMENT ON TABLE users IS 'A person with an account.'")
    op.execute("COMMENT ON COLUMN users.email IS 'The address the account signs in with, in lower case.'")
    op.execute("COMMENT ON COLUMN users.time_zone IS 'An IANA time zone, for showing times; stored times are UTC.'")
    op.execute("""
COMMENT ON COLUMN users.version IS 'Increases with every update. Pass it as `ifVersion` to notice a concurrent edit.'
""")
    op.execute("CREATE INDEX users_last_seen_at_idx ON users USING btree (last_seen_at)")
    op.execute("""
ALTER TABLE agent_tags ADD CONSTRAINT agent_tags_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents (id) ON DELETE CASCADE
""")
    op.execute("""
ALTER TABLE agent_tags ADD CONSTRAINT agent_tags_tag_id_fkey FOREIGN KEY (tag_id) REFERENCES tags (id) ON DELETE CASCADE
""")
    op.execute("""
ALTER TABLE agents ADD CONSTRAINT agents_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams (id) ON DELETE CASCADE
""")
    op.execute("""
ALTER TABLE feedback_entries ADD CONSTRAINT feedback_entries_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE CASCADE
""")
    op.execute("""
ALTER TABLE feedback_entries ADD CONSTRAINT feedback_entries_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
""")
    op.execute("""
ALTER TABLE memberships ADD CONSTRAINT memberships_team_id_fkey FOREIGN KEY (team_id) REFERENCES teams (id) ON DELETE CASCADE
""")
    op.execute("""
ALTER TABLE memberships ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE
""")
    op.execute("""
ALTER TABLE messages ADD CONSTRAINT messages_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE SET NULL
""")
    op.execute("""
ALTER TABLE messages ADD CONSTRAINT messages_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES threads (id) ON DELETE CASCADE
""")
    op.execute("""
ALTER TABLE runs ADD CONSTRAINT runs_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents (id) ON DELETE CASCADE
""")
    op.execute("""
ALTER TABLE runs ADD CONSTRAINT runs_thread_id_fkey FOREIGN KEY (thread_id) REFERENCES threads (id) ON DELETE SET NULL
""")
    op.execute("""
ALTER TABLE threads ADD CONSTRAINT threads_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agents (id) ON DELETE CASCADE
""")
    op.execute("""
ALTER TABLE threads ADD CONSTRAINT threads_owner_id_fkey FOREIGN KEY (owner_id) REFERENCES users (id) ON DELETE CASCADE
""")
    op.execute("""
ALTER TABLE tool_calls ADD CONSTRAINT tool_calls_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs (id) ON DELETE CASCADE
""")
    op.execute("""
CREATE VIEW agent_usages AS
SELECT
  agent_id,
  (created_at AT TIME ZONE 'UTC')::date AS day,
  count(*)::integer AS runs,
  (count(*) FILTER (WHERE status = 'FAILED'))::integer AS failed_runs,
  coalesce(sum(prompt_tokens), 0)::bigint AS prompt_tokens,
  coalesce(sum(completion_tokens), 0)::bigint AS completion_tokens,
  coalesce(sum(cost), 0)::numeric(14,6) AS cost
FROM runs
GROUP BY agent_id, (created_at AT TIME ZONE 'UTC')::date
""")
    op.execute("COMMENT ON VIEW agent_usages IS 'The usage of one agent on one day (UTC).'")
    op.execute("""
CREATE TRIGGER agents_updated_at_touch BEFORE UPDATE ON agents
    FOR EACH ROW EXECUTE FUNCTION clew.touch_updated_at()
""")
    op.execute("""
CREATE TRIGGER teams_updated_at_touch BEFORE UPDATE ON teams
    FOR EACH ROW EXECUTE FUNCTION clew.touch_updated_at()
""")
    op.execute("""
CREATE TRIGGER threads_updated_at_touch BEFORE UPDATE ON threads
    FOR EACH ROW EXECUTE FUNCTION clew.touch_updated_at()
""")
    op.execute("""
CREATE TRIGGER users_updated_at_touch BEFORE UPDATE ON users
    FOR EACH ROW EXECUTE FUNCTION clew.touch_updated_at()
""")


def downgrade() -> None:
    op.execute("DROP TRIGGER users_updated_at_touch ON users")
    op.execute("DROP TRIGGER threads_updated_at_touch ON threads")
    op.execute("DROP TRIGGER teams_updated_at_touch ON teams")
    op.execute("DROP TRIGGER agents_updated_at_touch ON agents")
    op.execute("DROP VIEW agent_usages")
    op.execute("ALTER TABLE tool_calls DROP CONSTRAINT tool_calls_run_id_fkey")
    op.execute("ALTER TABLE threads DROP CONSTRAINT threads_owner_id_fkey")
    op.execute("ALTER TABLE threads DROP CONSTRAINT threads_agent_id_fkey")
    op.execute("ALTER TABLE runs DROP CONSTRAINT runs_thread_id_fkey")
    op.execute("ALTER TABLE runs DROP CONSTRAINT runs_agent_id_fkey")
    op.execute("ALTER TABLE messages DROP CONSTRAINT messages_thread_id_fkey")
    op.execute("ALTER TABLE messages DROP CONSTRAINT messages_run_id_fkey")
    op.execute("ALTER TABLE memberships DROP CONSTRAINT memberships_user_id_fkey")
    op.execute("ALTER TABLE memberships DROP CONSTRAINT memberships_team_id_fkey")
    op.execute("ALTER TABLE feedback_entries DROP CONSTRAINT feedback_entries_user_id_fkey")
    op.execute("ALTER TABLE feedback_entries DROP CONSTRAINT feedback_entries_run_id_fkey")
    op.execute("ALTER TABLE agents DROP CONSTRAINT agents_team_id_fkey")
    op.execute("ALTER TABLE agent_tags DROP CONSTRAINT agent_tags_tag_id_fkey")
    op.execute("ALTER TABLE agent_tags DROP CONSTRAINT agent_tags_agent_id_fkey")
    op.execute("DROP TABLE users")
    op.execute("DROP TABLE tool_calls")
    op.execute("DROP TABLE threads")
    op.execute("DROP TABLE teams")
    op.execute("DROP TABLE tags")
    op.execute("DROP TABLE runs")
    op.execute("DROP TABLE messages")
    op.execute("DROP TABLE memberships")
    op.execute("DROP TABLE feedback_entries")
    op.execute("DROP TABLE agents")
    op.execute("DROP TABLE agent_tags")
    op.execute("DROP FUNCTION clew.touch_updated_at()")
    install(op, 0, since=1)
