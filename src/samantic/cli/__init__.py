"""The command line, one module for each verb. A verb imports heavy packages when it runs."""

from __future__ import annotations

import argparse
import io
import logging
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import samantic
from samantic.cli import (
    ablate,
    batch,
    benchmark,
    calibrate,
    check,
    convert,
    demo,
    distill,
    evaluate,
    export,
    predict,
    push,
    serve,
    synthesize,
    train,
)
from samantic.errors import InputError, StoppedError, Terminated
from samantic.spelling import Where, asked
from samantic.strings import printable

VERBS = {
    "demo": demo,
    "synthesize": synthesize,
    "check": check,
    "calibrate": calibrate,
    "convert": convert,
    "train": train,
    "distill": distill,
    "evaluate": evaluate,
    "predict": predict,
    "serve": serve,
    "batch": batch,
    "export": export,
    "push": push,
    "benchmark": benchmark,
    "ablate": ablate,
}
"""The verbs in the order of `--help`. The module of a verb has HELP, `add_options` and `run`."""


def entry() -> None:
    """Entry point of the `samantic` command."""
    sys.exit(main(sys.argv[1:]))


def main(words: list[str]) -> int:
    """Run one command.

    Returns:
        Exit status: 0 done, 2 bad arguments or bad input (one line on stderr), 143 ended by
        SIGTERM, 1 anything else.
    """
    for stream in (sys.stdout, sys.stderr):  # a console may lack letters that occur in names
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    parser = build_parser()
    if not words:
        parser.print_help(sys.stderr)
        return 2
    words = joined(words)
    options, rest = parser.parse_known_args(words)
    options.overrides = rest
    try:
        where: Where = "configuration" if hasattr(options, "keys") else "verb"
        with _told_once(), asked(where, words), _terminable():
            refuse_unknown(rest, options)
            return options.run(options) or 0
    except InputError as error:
        print(f"samantic: {printable(error)}", file=sys.stderr)
        return 2
    except StoppedError as error:
        print(f"samantic: {printable(error)}", file=sys.stderr)
        return 1
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        print(f"samantic: {printable(f'{place}{error.strerror or error}')}", file=sys.stderr)
        return 1
    except Exception as error:  # each library has its own error for full memory
        from samantic.learn.trouble import is_memory, while_using

        if not is_memory(error):
            raise
        print(f"samantic: {while_using(options.verb)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("samantic: interrupted; written files are complete", file=sys.stderr)
        return 1
    except Terminated as error:
        print(f"samantic: {printable(error)}", file=sys.stderr)
        return 128 + signal.SIGTERM


def joined(words: list[str]) -> list[str]:
    """Join a negative number to the option before it; argparse would take it for an option.

    Example:
        >>> joined(["--thermal-scaling", "-20,60"])
        ['--thermal-scaling=-20,60']
    """
    found: list[str] = []
    for word in words:
        if re.match(r"-\.?\d", word) and found and re.fullmatch(r"--[^=]+", found[-1]):
            found[-1] += f"={word}"
        else:
            found.append(word)
    return found


class _Parser(argparse.ArgumentParser):
    """Prints an error in one line, without the usage; options cannot be abbreviated."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        listed = f"`{self.prog} --help` lists what it takes"
        self.exit(2, f"samantic: {' '.join(message.split())}; {listed}\n")


def refuse_unknown(words: list[str], options: argparse.Namespace) -> None:
    """Refuse words that are neither an option of a verb nor a key of its configuration.

    Args:
        words: The words that were not parsed.
        options: The parsed options: `own` are the verb's options, `keys` returns the keys of its
            configuration.

    Raises:
        InputError: There is such a word; the line names the option that was probably meant.
    """
    if not words:
        return
    from samantic.config.values import key_of, unknown_options

    keys = options.keys() if hasattr(options, "keys") else ()
    unknown, valued = [], False  # valued: whether the next word may be the value of the last one
    for word in words:
        if word.startswith("--"):
            valued = "=" not in word
            if key_of(word) not in keys:
                unknown.append(word)
        elif valued:
            valued = False
        else:
            unknown.append(word)
    if unknown:
        listed = f"`samantic {options.verb} --help` lists what it takes"
        raise InputError(f"{unknown_options(unknown, {*options.own, *keys})}; {listed}")


class _Once(logging.Handler):
    """Prints the log lines for users, each line once."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        line = printable(record.getMessage())
        if line not in self.told:
            self.told.add(line)
            print(f"samantic: {line}", file=sys.stderr)


@contextmanager
def _told_once() -> Iterator[None]:
    """Show the lines of the logger `samantic` while a command runs."""
    logger, handler = logging.getLogger("samantic"), _Once()
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end a command like Ctrl-C; a training saves its state first."""

    def end(number: int, frame: object) -> NoReturn:
        raise Terminated("terminated (SIGTERM); written files are complete")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all verbs."""
    parser = _Parser(
        prog="samantic",
        description="RGB-thermal semantic segmentation with SAM2.",
    )
    parser.add_argument("--version", action="version", version=samantic.__version__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, verb in VERBS.items():
        sub = verbs.add_parser(name, help=verb.HELP, description=verb.HELP)
        verb.add_options(sub)
        own = [name for action in sub._actions for name in action.option_strings]
        sub.set_defaults(run=verb.run, own=[name for name in own if name.startswith("--")])
    return parser
