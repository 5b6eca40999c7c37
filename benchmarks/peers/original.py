"""The original's model and loop: a graph of TensorFlow 1, a session, and batches from NumPy through ``feed_dict``.

``tf.layers`` no longer exists; its convolutions are written with variables. The original also prints a line a batch, which is left out.
"""

import numpy as np
import protocol
import tensorflow.compat.v1 as tf

tf.disable_v2_behavior()


class Trainer(protocol.Trainer):
    def __init__(self, filters, weights, noise):
        self.noise = noise
        self.images = protocol.images()
        self.epoch, self.start = -1, len(self.images)

        with tf.Graph().as_default():
            self.inputs = tf.placeholder(tf.float32, (None, 28, 28, 1), name="inputs")
            self.targets = tf.placeholder(tf.float32, (None, 28, 28, 1), name="targets")
            *convolutions, last = [
                (tf.Variable(kernel), tf.Variable(bias)) for kernel, bias in zip(weights[::2], weights[1::2], strict=True)
            ]
            maps = self.inputs
            for kernel, bias in convolutions[: len(filters)]:
                maps = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(maps, kernel, strides=1, padding="SAME"), bias))
                maps = tf.nn.max_pool2d(maps, ksize=2, strides=2, padding="SAME")
            for (kernel, bias), size in zip(convolutions[len(filters) :], protocol.SIZES, strict=True):
                maps = tf.image.resize_nearest_neighbor(maps, (size, size))
                maps = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(maps, kernel, strides=1, padding="SAME"), bias))
            logits = tf.nn.bias_add(tf.nn.conv2d(maps, last[0], strides=1, padding="SAME"), last[1])
            loss = tf.nn.sigmoid_cross_entropy_with_logits(labels=self.targets, logits=logits)
            self.cost = tf.reduce_mean(loss)
            self.optimizer = tf.train.AdamOptimizer(protocol.LEARNING_RATE, epsilon=protocol.EPSILON).minimize(self.cost)
            self.session = tf.Session()
            self.session.run(tf.global_variables_initializer())

    def next_batch(self):
        """Give the next 200 digits, as ``mnist.train.next_batch`` did: it copied all of them in a new order for each epoch."""
        if self.start == len(self.images):
            self.epoch, self.start = self.epoch + 1, 0
            self.shuffled = self.images[protocol.order(self.epoch)]
        self.start += protocol.BATCH
        return self.shuffled[self.start - protocol.BATCH : self.start]

    def step(self):
        images = noisy_images = self.next_batch()
        if self.noise:
            noisy_images = images + self.noise * np.random.randn(*images.shape)  # noqa: NPY002  (the original's own call)
            noisy_images = np.clip(noisy_images, 0.0, 1.0)
        cost, _ = self.session.run([self.cost, self.optimizer], feed_dict={self.inputs: noisy_images, self.targets: images})
        return float(cost)


if __name__ == "__main__":
    protocol.serve_trainer(Trainer)
