"""`python -m samantic` is the `samantic` command."""

from samantic.cli import entry

entry()
