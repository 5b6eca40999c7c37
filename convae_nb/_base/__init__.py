"""Foundations that know nothing of images: files, validation, progress, and TensorFlow's one door."""
