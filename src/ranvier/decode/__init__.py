"""From features to intention: what is learned from trials, and the frozen stages that it becomes.

Trainables (left) are fitted once; what runs (right) holds plain arrays and needs NumPy only.

    CSP                            SpatialPower
    TangentSpace                   TangentProjection
    MDM                            ClassDistances
    LDA, LogisticRegression, SVM   Linear
    Ridge                          Linear
    Wiener                         LaggedLinear
    Kalman                         KalmanFilter
    Imputation                     Imputer
    TRCA                           TemplateMatch
    Xdawn                          SpatialFilter
    none: no calibration           FBCCA
    trained elsewhere, as ONNX     Network
"""

from ranvier.decode._bands import filter_bank
from ranvier.decode._classifiers import SVM, LogisticRegression
from ranvier.decode._csp import CSP, SpatialPower
from ranvier.decode._fbcca import FBCCA
from ranvier.decode._imputation import Imputation
from ranvier.decode._imputer import Imputer
from ranvier.decode._kalman import Kalman, KalmanFilter
from ranvier.decode._lda import LDA
from ranvier.decode._linear import Linear
from ranvier.decode._mdm import MDM, ClassDistances
from ranvier.decode._network import Network
from ranvier.decode._regression import LaggedLinear, Ridge, Wiener
from ranvier.decode._tangent import TangentProjection, TangentSpace
from ranvier.decode._trca import TRCA, TemplateMatch
from ranvier.decode._xdawn import SpatialFilter, Xdawn

__all__ = [
    "CSP",
    "FBCCA",
    "LDA",
    "MDM",
    "SVM",
    "TRCA",
    "ClassDistances",
    "Imputation",
    "Imputer",
    "Kalman",
    "KalmanFilter",
    "LaggedLinear",
    "Linear",
    "LogisticRegression",
    "Network",
    "Ridge",
    "SpatialFilter",
    "SpatialPower",
    "TangentProjection",
    "TangentSpace",
    "TemplateMatch",
    "Wiener",
    "Xdawn",
    "filter_bank",
]
