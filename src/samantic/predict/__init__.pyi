from .prediction import Prediction as Prediction
from .predictor import Predictor as Predictor
from .predictor import load as load
