"""The command line: the commands in their order, and what their ends mean.

`docs/commands.md` is its contract; the commands are in `commands/`. Start-up is counted
in milliseconds, so each command imports what it needs when it runs.
"""

import logging
import sys
from typing import Any, NoReturn

import click

from scheduler.commands import articles, crawl, service, sources
from scheduler.commands.options import CommonOptions, common_options
from storage.errors import KhabarError

INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it

# In the order in which a newcomer needs them.
COMMANDS: tuple[click.Command, ...] = (
    crawl.crawl,
    service.run,
    articles.search,
    articles.show,
    articles.tail,
    articles.export,
    service.serve,
    crawl.import_,
    crawl.reprocess,
    crawl.extract,
    articles.explain,
    articles.mark,
    articles.brief,
    articles.evidence,
    service.mcp,
    sources.sources,
    service.status,
    service.doctor,
    service.backup,
    service.restore,
    articles.forget,
    service.configuration,
    service.demo,
)


class OrderedGroup(click.Group):
    """Commands in the order in which they were added."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; without -v, what its parts log goes nowhere.

        Faults come back as values and errors.
        """
        root = logging.getLogger()
        if not root.handlers:
            root.addHandler(logging.NullHandler())
        try:
            return super().invoke(ctx)
        # The reader left, as `head` does; click would make it exit 1.
        except BrokenPipeError:
            return _end_quietly()

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names as they stand in COMMANDS."""
        del ctx
        return list(self.commands)


@click.group(
    cls=OrderedGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `khabar demo` (no network needed) or `khabar crawl`.",
)
@click.version_option(package_name="khabar", message="%(prog)s %(version)s")
@common_options
def khabar() -> None:
    """Watch the press for coverage of the conflict in Afghanistan."""


for command in COMMANDS:
    khabar.add_command(command)


def main(arguments: list[str] | None = None) -> NoReturn:
    """The process.

    One command, one exit code, and for a fault one line that says what to do.
    """
    sys.exit(_run_command(arguments, CommonOptions()))


def _run_command(arguments: list[str] | None, options: CommonOptions) -> int:
    try:
        code = khabar.main(
            arguments, prog_name="khabar", standalone_mode=False, obj=options
        )
        sys.stdout.flush()
    except BrokenPipeError:
        return _end_quietly()
    except (KeyboardInterrupt, click.Abort) as fault:
        # Click puts its own fault in the place of the interruption, which may have
        # something to say: that the service goes on with the work.
        interruption = fault.__cause__ or fault.__context__ or fault
        return _print_error(str(interruption) or "stopped", INTERRUPTED)
    except click.UsageError as fault:
        path = fault.ctx.command_path if fault.ctx else "khabar"
        message = fault.format_message().rstrip(".")
        return _print_error(f"{path}: {message}; see `{path} --help`", 2)
    except click.ClickException as fault:
        return _print_error(fault.format_message(), 2)
    except Exception as fault:  # noqa: BLE001 - the process boundary: one line, one code
        return _report_fault(fault, verbose=bool(options.verbose))
    if isinstance(code, int):
        return code
    return 0


def _report_fault(fault: Exception, *, verbose: bool) -> int:
    """Say what went wrong; the exit code."""
    if verbose:
        import traceback

        traceback.print_exception(fault)
    if isinstance(fault, KhabarError):
        return _print_error(str(fault), fault.exit_code)
    if isinstance(fault, OSError):
        message = str(fault.strerror or fault)
        if fault.filename:
            message = f"{fault.filename}: {message}"
        return _print_error(message, 1)
    return _print_error(
        f"this should not have happened ({type(fault).__name__}: {fault}); "
        "run again with -v and report it",
        1,
    )


def _print_error(message: str, code: int) -> int:
    """Each line of a message on standard error; gives the exit code back."""
    from scheduler.views.terminal import strip_controls

    for line in message.splitlines() or [""]:
        print(f"khabar: {strip_controls(line)}", file=sys.stderr)  # noqa: T201 - what a command line is for
    return code


def _end_quietly() -> int:
    """The reader of our output has left, as `head` does.

    No complaint, and nothing more to flush at exit.
    """
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    main()
