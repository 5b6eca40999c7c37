"""The one place that imports TensorFlow and Keras: quietly, and with TensorFlow as Keras's backend.

TensorFlow writes to the process's standard error while it loads, whatever its log level says; in a notebook that text would
stand under the first cell. What is written while the import succeeds is dropped; if it fails, it is shown.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Redirect file descriptor 2 to a temporary file, which is shown only if the block fails."""
    try:
        standard_error = os.dup(2)
    except OSError:  # closed, as for a service: the next file to be opened would get its number, and what TensorFlow writes
        while os.open(os.devnull, os.O_WRONLY) < 2:
            pass
        yield
        return
    if sys.stderr is not None:  # as under pythonw
        sys.stderr.flush()
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except BaseException:
            messages.seek(0)
            os.write(standard_error, messages.read())
            raise
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
with _silent_stderr():
    import keras as keras
    import tensorflow as tf

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"convae_nb needs Keras on TensorFlow, but Keras is loaded already with the backend {keras.backend.backend()!r}: "
        "restart Python and import convae_nb first, or set KERAS_BACKEND=tensorflow."
    )

# Every model has a compiled function of its own. TensorFlow takes five of them in a row for one that is compiled too often.
tf.get_logger().addFilter(lambda record: "triggered tf.function retracing" not in str(record.msg))
