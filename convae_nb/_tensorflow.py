"""The one place that imports TensorFlow and Keras: quietly, and with TensorFlow as Keras's backend.

TensorFlow writes to the process's standard error while it loads, whatever its log level says; in a notebook that text would
stand under the first cell. What is written while the import succeeds is dropped; if it fails, it is shown.
"""

import os
import sys
import tempfile


def _import_quietly():
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    sys.stderr.flush()
    standard_error = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            import keras
            import tensorflow as tf
        except BaseException:
            messages.seek(0)
            os.write(standard_error, messages.read())
            raise
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
    if keras.backend.backend() != "tensorflow":
        raise ImportError(
            f"convae_nb needs Keras on TensorFlow, but Keras is loaded already with the backend {keras.backend.backend()!r}: "
            "restart Python and import convae_nb first, or set KERAS_BACKEND=tensorflow."
        )
    return keras, tf


keras, tf = _import_quietly()

# Every model has a compiled function of its own. TensorFlow takes five of them in a row for one that is compiled too often.
tf.get_logger().addFilter(lambda record: "triggered tf.function retracing" not in str(record.msg))
