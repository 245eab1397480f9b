"""ONNX out of networks: written tensor by tensor from a checkpoint, or exported from a PyTorch module."""
