"""Losses as the objectives of libraries that fit models: XGBoost, LightGBM, CatBoost, scikit-learn.

None of them is imported. Each function returns an object that goes where the library wants an
objective, and brings the metric, the first score and the predictions along.
"""

from portable_losses.objectives._catboost import catboost
from portable_losses.objectives._lightgbm import lightgbm
from portable_losses.objectives._sklearn import sklearn
from portable_losses.objectives._xgboost import xgboost

__all__ = ["catboost", "lightgbm", "sklearn", "xgboost"]
