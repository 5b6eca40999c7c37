// What a page asks of a worker, by name; where a page may have no worker, it asks the same functions.

function convaeTasks(engine) {
  "use strict";
  const networks = new Map();
  const scored = (clean, image) => ({ psnr: engine.psnr(clean, image), ssim: engine.ssim(clean, image) });

  return {
    keep({ name, file }) {
      networks.set(name, engine.network(file));
    },

    // Each picture under noise, and what the network makes of it, with PSNR and SSIM of both.
    denoise({ name, images, kind, level, seed, first = 0 }) {
      return images.map((clean, i) => {
        const noisy = kind ? engine.corrupt(clean, kind, level, seed, first + i) : clean;
        const { code, around } = networks.get(name).encode(noisy), logits = networks.get(name).decode(code, around);
        const network = engine.sigmoid(logits);
        return { noisy, network, code, logits, scores: { noisy: scored(clean, noisy), network: scored(clean, network) } };
      });
    },

    // The mean PSNR over pictures at one level, noisy and by the network: a point of two curves.
    point({ name, images, kind, level, seed }) {
      const sum = { noisy: 0, network: 0 };
      images.forEach((clean, i) => {
        const noisy = engine.corrupt(clean, kind, level, seed, i);
        sum.noisy += engine.psnr(clean, noisy) / images.length;
        sum.network += engine.psnr(clean, engine.sigmoid(networks.get(name).logits(noisy))) / images.length;
      });
      return sum;
    },

    encode({ name, image }) {
      return networks.get(name).encode(image).code;
    },

    codes({ name, images }) {
      return images.map((image) => networks.get(name).encode(image).code);
    },

    // What a decoder draws from each code, with nothing around it.
    decode({ name, codes }) {
      return codes.map((code) => engine.sigmoid(networks.get(name).decode(code)));
    },

    // A decoder's answer to flat input and to a picture, as logits and as an image, each with its checkerboard index.
    checkered({ name, image }) {
      const net = networks.get(name), { code, around } = net.encode(image), logits = net.decode(code, around);
      const mean = Array.from({ length: code.depth }, (_, c) => {
        let sum = 0;
        for (let i = c; i < code.values.length; i += code.depth) sum += code.values[i];
        return (sum * code.depth) / code.values.length;
      });
      const flat = engine.flatAnswer(net, mean), drawn = engine.sigmoid(logits);
      return {
        flat: { picture: flat, scatter: engine.phaseScatter(flat, 2 ** net.model.filters.length) },
        logits: { picture: logits, index: engine.checkerboardIndex(logits) },
        image: { picture: drawn, index: engine.checkerboardIndex(drawn) },
      };
    },

    // A round of drawing from noise: fresh noise over each guess, and the next guess.
    round({ name, images, level, seed, past, first }) {
      return images.map((image, i) => {
        const noisy = engine.corrupt(image, "gaussian", level, seed, past + first + i);
        return { noisy, guess: engine.sigmoid(networks.get(name).logits(noisy)) };
      });
    },
  };
}
