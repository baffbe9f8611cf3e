# `alembic upgrade head` does the same as `clew migrate up`. The database comes from DATABASE_URL.
[alembic]
script_location = %(here)s/migrations
prepend_sys_path = .
path_separator = os
file_template = %%(rev)s_%%(slug)s
output_encoding = utf-8

[loggers]
keys = root,alembic

[handlers]
keys = console

[formatters]
keys = plain

[logger_root]
level = WARNING
handlers = console

[logger_alembic]
level = INFO
handlers =
qualname = alembic

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain

[formatter_plain]
format = %(levelname)s %(message)s
