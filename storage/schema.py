"""The form of the file: its migrations in order, each an SQL script in `migrations/`.

A released script never changes; what comes later comes as a further one. Every table is
STRICT, every time is ISO 8601 UTC text ending in `Z`. `docs/data.md` documents every
table, view and column, and a test holds it to that.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from threading import Timer

from sqlite_utils import Database, Migrations

from storage.errors import StoreError, StoreTooNew

migrations = Migrations("khabar")

# Of one step, after which somebody is told.
_SLOW_STEP_SECONDS = 3.0

# So many articles that were kept before become comparable, the newest: copies come
# within weeks, equal words are found among all, and reading a text takes .7 ms: these
# take half a minute of CPU, all of a million would take ten.
MAX_COMPARABLE_ARTICLES = 50_000


def _compare_newest(db: Database) -> None:
    # Imported here: no reader of the file needs what compares texts.
    from storage.tables import copy_index

    newest = db.execute(
        "SELECT id FROM documents WHERE is_head = 1 ORDER BY sort_key DESC LIMIT ?",
        [MAX_COMPARABLE_ARTICLES],
    )
    copy_index.add_all_to_index(db, [row[0] for row in newest])


# What a script cannot say: done after it, in its transaction.
PYTHON_STEPS: dict[str, Callable[[Database], None]] = {
    "m002_near_copies": _compare_newest
}


def read_scripts() -> dict[str, str]:
    """The migrations' SQL by name, in order."""
    scripts = {}
    for file in files("storage").joinpath("migrations").iterdir():
        if file.name.endswith(".sql"):
            scripts[file.name.removesuffix(".sql")] = file.read_text("utf-8")
    return dict(sorted(scripts.items()))


def run_script(db: Database, script: str) -> None:
    """Execute a script's statements one by one, in the transaction that is open.

    `executescript` would end it.
    """
    statement = ""
    for line in script.splitlines():
        if line.startswith("--"):
            continue
        statement += line + "\n"
        if _is_complete(statement):
            db.execute(statement)
            statement = ""


def _is_complete(statement: str) -> bool:
    text = statement.strip()
    # A trigger holds statements of its own.
    if text.startswith("CREATE TRIGGER"):
        return text.endswith("END;")
    return text.endswith(";")


def _register(name: str, script: str) -> None:
    @migrations(name=name)
    def _(db: Database) -> None:
        run_script(db, script)
        if name in PYTHON_STEPS:
            PYTHON_STEPS[name](db)


for _name, _script in read_scripts().items():
    _register(_name, _script)


def migrate(db: Database, on_slow_step: Callable[[str], None] | None = None) -> None:
    """Bring the file to today's form, each step whole or not at all.

    `on_slow_step` is told of steps that take long. Raises StoreTooNew.
    """
    refuse_newer(db)
    names = [step.name for step in migrations.pending(db)]
    for at, name in enumerate(names):
        with _report_when_slow(name, on_slow_step):
            migrations.apply(db, stop_before=names[at + 1 : at + 2])


@contextmanager
def _report_when_slow(
    name: str, on_slow_step: Callable[[str], None] | None
) -> Iterator[None]:
    if on_slow_step is None:
        yield
        return
    text = (
        f"bringing the database to its new form ({name}); this can take minutes, and "
        "a stop loses nothing"
    )
    timer = Timer(_SLOW_STEP_SECONDS, on_slow_step, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def refuse_newer(db: Database) -> None:
    """Raise StoreTooNew when the file has steps that this khabar does not know."""
    known = {step.name for step in migrations.pending(Database(memory=True))}
    strange = [step.name for step in migrations.applied(db) if step.name not in known]
    if strange:
        raise StoreTooNew(
            f"The database was written by a newer khabar (it knows {strange[-1]}); "
            "upgrade this one, or name another file."
        )


def require_current(db: Database) -> None:
    """Raise StoreTooNew or StoreError where a reader cannot rely on the file's form."""
    refuse_newer(db)
    waiting = migrations.pending(db)
    if waiting:
        raise StoreError(
            "The database was written by an older khabar (it lacks "
            f"{waiting[0].name}); `khabar run` or `khabar crawl` brings it up to date."
        )
