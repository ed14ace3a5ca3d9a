from .errors import InputError as InputError
from .predict.instances import Instance as Instance
from .predict.prediction import Prediction as Prediction
from .predict.predictor import Predictor as Predictor
from .runtime.load import load as load

__version__: str
