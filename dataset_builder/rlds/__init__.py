"""The RLDS file format: features, records and TFRecord files, without TensorFlow."""
