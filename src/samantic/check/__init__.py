"""Look at a data set before a training does: what is there, what will fail, what to mind."""

from samantic.check.findings import Findings, check
from samantic.check.page import findings_table, write_check

__all__ = ["Findings", "check", "findings_table", "write_check"]
