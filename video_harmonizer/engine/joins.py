"""Convolutions of joined inputs as sums of convolutions, so that OpenVINO need not join the inputs in memory."""

import numpy as np
import openvino as ov
from openvino import opset13 as opset

GROUP = 8  # channels: of others OpenVINO joins value by value, which takes longer than summing


def sum_instead_of_joining(model: ov.Model) -> None:
    """Take such convolutions apart: of [x, y] by [v, w] becomes of x by v, plus of y by w."""
    for convolution in model.get_ops():
        if convolution.get_type_name() != "Convolution":
            continue
        join, weights = (convolution.input_value(place).get_node() for place in range(2))
        if join.get_type_name() != "Concat" or weights.get_type_name() != "Constant":
            continue
        shared = len(join.output(0).get_target_inputs()) > 1  # others may need it joined
        if shared or join.get_attributes()["axis"] != 1:
            continue
        channels = [part.get_shape()[1] for part in join.input_values()]
        if all(count % GROUP == 0 for count in channels):
            continue
        how = convolution.get_attributes()
        settings = [how[name] for name in ("strides", "pads_begin", "pads_end", "dilations", "auto_pad")]
        shares = np.split(weights.get_data(), np.cumsum(channels)[:-1], axis=1)
        first, *others = (
            opset.convolution(part, np.ascontiguousarray(share), *settings)
            for part, share in zip(join.input_values(), shares, strict=True)
        )
        total = first
        for other in others:
            total = opset.add(total, other)
        convolution.output(0).replace(total.output(0))
    model.validate_nodes_and_infer_types()
