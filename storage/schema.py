"""The form of the file: its migrations in order, each an SQL script in `migrations/`.

A released script never changes; what comes later comes as a further one. Every table is
STRICT, every time is ISO 8601 UTC text ending in `Z`. `docs/data.md` documents every
table, view and column, and a test holds it to that.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib.resources import files
from threading import Timer

from sqlite_utils import Database, Migrations

from storage.errors import StoreError, StoreTooNew
from storage.tables import copy_index

migrations = Migrations("khabar")

_SLOW_STEP_SECONDS = 3.0  # seconds of one step after which somebody is told

# So many articles that were kept before become comparable, the newest: copies come
# within weeks, equal words are found among all, and reading a text takes .7 ms: these
# take half a minute of CPU, all of a million would take ten.
MAX_COMPARABLE_ARTICLES = 50_000


def _compare_newest(db: Database) -> None:
    newest = "SELECT id FROM documents WHERE is_head = 1 ORDER BY sort_key DESC LIMIT ?"
    copy_index.add_all_to_index(
        db, [row[0] for row in db.execute(newest, [MAX_COMPARABLE_ARTICLES])]
    )


# What a script cannot say: done after it, in its transaction.
PYTHON_STEPS: dict[str, Callable[[Database], None]] = {
    "m002_near_copies": _compare_newest
}


def read_scripts() -> dict[str, str]:
    """The migrations' SQL by name, in order."""
    found = [
        script
        for script in files("storage").joinpath("migrations").iterdir()
        if script.name.endswith(".sql")
    ]
    return {
        script.name[:-4]: script.read_text("utf-8")
        for script in sorted(found, key=lambda script: script.name)
    }


def run_script(db: Database, script: str) -> None:
    """Execute a script's statements one by one, in the transaction that is open (`executescript` would end it)."""
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
    if not text.endswith(";"):
        return False
    return text.endswith("END;") if text.startswith("CREATE TRIGGER") else True


def _register(name: str, script: str) -> None:
    @migrations(name=name)
    def _(db: Database) -> None:
        run_script(db, script)
        if name in PYTHON_STEPS:
            PYTHON_STEPS[name](db)


for _name, _script in read_scripts().items():
    _register(_name, _script)


def migrate(db: Database, tell: Callable[[str], None] | None = None) -> None:
    """Bring the file to today's form, each step whole or not at all.

    `tell` hears of those that take long.

    Raises StoreTooNew.
    """
    refuse_newer(db)
    names = [step.name for step in migrations.pending(db)]
    for at, name in enumerate(names):
        with _report_when_slow(name, tell) if tell else nullcontext():
            migrations.apply(db, stop_before=names[at + 1 : at + 2])


@contextmanager
def _report_when_slow(name: str, tell: Callable[[str], None]) -> Iterator[None]:
    text = f"bringing the database to its new form ({name}); this can take minutes, and a stop loses nothing"
    timer = Timer(_SLOW_STEP_SECONDS, tell, [text])
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
            f"The database was written by a newer khabar (it knows {strange[-1]}); upgrade this one, or name "
            f"another file."
        )


def require_current(db: Database) -> None:
    """Raise StoreTooNew or StoreError where a reader cannot rely on the file's form."""
    refuse_newer(db)
    waiting = migrations.pending(db)
    if waiting:
        raise StoreError(
            f"The database was written by an older khabar (it lacks {waiting[0].name}); `khabar run` or `khabar "
            f"crawl` brings it up to date."
        )
