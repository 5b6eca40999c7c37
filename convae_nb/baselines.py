"""What a network has to beat: the best linear code of the same size, and denoisers that need no network; and the comparison with them.

Images are whatever `data.as_images` takes; shape ``(batch, height, width, channels)``, in [0, 1]. What each denoiser is tuned to was
found on digits held out.
"""

from convae_nb.measures.baselines import PatchPCACodec as PatchPCACodec
from convae_nb.measures.baselines import PCACodec as PCACodec
from convae_nb.measures.baselines import patch_pca_codec as patch_pca_codec
from convae_nb.measures.baselines import pca_codec as pca_codec
from convae_nb.measures.baselines import pca_psnr as pca_psnr
from convae_nb.measures.comparison import compare as compare
from convae_nb.measures.denoisers import DENOISERS as DENOISERS
from convae_nb.measures.denoisers import Denoiser as Denoiser
from convae_nb.measures.denoisers import suited_to as suited_to
from convae_nb.measures.denoisers import without_bias as without_bias
from convae_nb.measures.levels import LEVELS as LEVELS
