"""A network of one's own, verified and explained: python own_network.py A.jpg B.jpg"""

import sys

from torch.nn.functional import avg_pool2d, normalize

from xfv_core import Verifier
from xfv_core.models import FaceModel, own_card


class Colours(FaceModel):
    name, input_size, embedding_dim = "colours", 112, 147

    def embed(self, x):  # (B,3,112,112) RGB in [0,1] -> (B,147), rows of length 1
        return normalize(avg_pool2d(x, 16).flatten(1) - 0.5)


verifier = Verifier()
verifier.add(Colours(), own_card("colours", size=112, threshold=0.8))
print(verifier.verify(*sys.argv[1:3], model="colours").sentence)
print(verifier.explained(*sys.argv[1:3], model="colours", method="fggb").sentence)
