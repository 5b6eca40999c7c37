"""What is measured, and what to beat: metrics, checkerboards, baselines and denoisers, and probes of what a code holds."""
