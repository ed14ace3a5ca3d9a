from .exported import ExportedModel as ExportedModel
from .load import load as load
