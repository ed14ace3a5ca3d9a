from .cards.card import DatasetSpec as DatasetSpec
from .cards.catalog import CATALOG as CATALOG
from .pairs import PairedFolder as PairedFolder
from .pairs import Sample as Sample
