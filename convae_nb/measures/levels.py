"""The noise at which denoisers are tuned and compared."""

#: Levels by kind of noise.
LEVELS = {
    "gaussian": (0.1, 0.25, 0.5, 1.0),
    "speckle": (0.25, 0.5, 1.0),
    "salt_and_pepper": (0.1, 0.25, 0.5),
    "poisson": (0.25, 0.5, 1.0),
    "blur": (1.0, 2.0, 3.0),
    "occlusion": (0.25, 0.5, 0.75),
}
CONDITIONS = tuple((kind, level) for kind, levels in LEVELS.items() for level in levels)
