"""How good is a reconstruction: the loss above its floor, PSNR and SSIM, beside what predictors that look at no image reach.

Images are whatever `data.as_images` takes; shape ``(batch, height, width, channels)``, in [0, 1]. That range is the one against which
PSNR and SSIM are taken: it is never guessed from the images, so a reconstruction with half the contrast counts as wrong. Classifiers
judge what the numbers do not: `classify` whether pictures can still be read, `probe` what a code tells about the classes.
"""

from convae_nb.measures.evaluation import evaluate as evaluate
from convae_nb.measures.metrics import binary_cross_entropy as binary_cross_entropy
from convae_nb.measures.metrics import entropy_floor as entropy_floor
from convae_nb.measures.metrics import psnr as psnr
from convae_nb.measures.metrics import scores as scores
from convae_nb.measures.metrics import ssim as ssim
from convae_nb.measures.metrics import ssim_map as ssim_map
from convae_nb.measures.metrics import trivial_predictors as trivial_predictors
from convae_nb.measures.probes import classify as classify
from convae_nb.measures.probes import probe as probe
