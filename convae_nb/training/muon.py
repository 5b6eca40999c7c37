"""Muon: an optimizer that takes each kernel's mean gradient for a matrix and steps along the nearest orthogonal one."""

from collections.abc import Sequence
from typing import Any

from convae_nb._base.tensorflow import keras, tf


@keras.saving.register_keras_serializable(package="convae_nb")
class Muon(keras.optimizers.Muon):
    """Muon [1]_ for the inner kernels of a convolutional network, and Adam for its first and last kernel and all biases.

    The gradient of a kernel of shape ``(height, width, in, out)`` is averaged over the steps (Nesterov's momentum), flattened to a
    matrix of ``height x width x in`` rows and ``out`` columns, and orthogonalised: its singular values are pushed to about one by the
    Newton-Schulz iteration, so that a step turns every direction alike, not only the few in which the gradient is large. Keras's own
    Muon takes matrices alone and hands every kernel of a convolution to Adam.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        Adam's.
    ratio : float
        Step size of the orthogonalised kernels over Adam's.
    beta_1, beta_2, epsilon : float
        Adam's.
    momentum : float
        Decay of the kernels' gradients.
    ns_steps : int
        Newton-Schulz steps.

    References
    ----------
    .. [1] K. Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024, https://kellerjordan.github.io/posts/muon/.
    """

    def __init__(
        self,
        learning_rate: Any = 0.03,
        ratio: float = 2.0,
        beta_1: float = 0.9,
        beta_2: float = 0.95,
        epsilon: float = 1e-8,
        momentum: float = 0.9,
        ns_steps: int = 5,
        name: str = "muon",
    ):
        adam = {"adam_beta_1": beta_1, "adam_beta_2": beta_2, "epsilon": epsilon}
        undecayed = {"weight_decay": None, "adam_weight_decay": None}
        super().__init__(learning_rate, **adam, **undecayed, momentum=momentum, ns_steps=ns_steps, name=name)
        self.ratio = ratio

    def build(self, variables: Sequence) -> None:
        kernels = [variable for variable in variables if len(variable.shape) == 4]
        self._inner = {id(kernel) for kernel in kernels[1:-1]}
        super().build(variables)

    def _should_use_adamw(self, variable):
        return id(variable) not in self._inner

    def lr_adjust(self, x: tf.Tensor) -> tf.Tensor:
        rows, columns = x.shape[0] * x.shape[1] * x.shape[2], x.shape[3]
        return x * (self.ratio * max(1.0, columns / rows) ** 0.5)

    def zeropower_via_newtonschulz5(self, x: tf.Tensor, steps: int) -> tf.Tensor:
        matrix = super().zeropower_via_newtonschulz5(tf.reshape(x, (-1, x.shape[-1])), steps)
        return tf.reshape(matrix, x.shape)

    def get_config(self) -> dict[str, Any]:
        names = ("ratio", "epsilon", "momentum", "ns_steps", "name")
        config = super().get_config()
        return {name: config.get(name, getattr(self, name)) for name in ("learning_rate", *names)} | {
            "beta_1": self.adam_beta_1,
            "beta_2": self.adam_beta_2,
        }
