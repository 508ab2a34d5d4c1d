"""From a QONNX file to a graph of exact integers, and the source model run as it is."""
