"""What the machine can do: products of two float32 matrices of 2048x2048, by as many threads as TensorFlow takes for training."""

import protocol

from convae_nb._base.tensorflow import tf

MATRIX = tf.random.stateless_normal((protocol.MATRIX_SIDE, protocol.MATRIX_SIDE), seed=(0, 0))


def run(limits):
    watch = protocol.Stopwatch(**limits)
    going_on = True
    while going_on:
        tf.matmul(MATRIX, MATRIX)
        going_on = watch.goes_on(1)
    return watch.reading


if __name__ == "__main__":
    protocol.serve(run=run)
