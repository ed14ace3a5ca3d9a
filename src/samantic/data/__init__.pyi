from .cards.card import DatasetSpec as DatasetSpec
from .cards.catalog import CATALOG as CATALOG
from .pairs import PairedFolder as PairedFolder
from .samples import Sample as Sample
