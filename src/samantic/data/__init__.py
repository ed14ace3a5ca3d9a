"""Data sets of RGB-thermal pairs."""

from samantic.data.catalog import CATALOG
from samantic.data.pairs import PairedFolder, Sample
from samantic.data.spec import DatasetSpec

__all__ = ["CATALOG", "DatasetSpec", "PairedFolder", "Sample"]
