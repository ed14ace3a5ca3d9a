"""Check a data set before a training: its content, errors, and warnings."""

from samantic.check.findings import Findings, check
from samantic.check.page import findings_table, write_check

__all__ = ["Findings", "check", "findings_table", "write_check"]
