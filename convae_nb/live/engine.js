// What the package computes with TensorFlow and SciPy, in plain JavaScript: networks of models.build_autoencoder, noise, measures, and
// how MNIST fits a drawing into its frame. It touches no page: a worker runs the text of this function, a test runs it in Node.
//
// A picture, and a stack of feature maps, is {height, width, depth, values}: Float32Array, rows first, channels last, as in Keras.

function convaeEngine() {
  "use strict";

  const maps = (height, width, depth, values) => ({ height, width, depth, values: values || new Float32Array(height * width * depth) });

  // ---- Layers ------------------------------------------------------------------------------------------------------------------

  // Zeros around, and room for one column more: the loop below takes pixels by two.
  function padded(x, top, left, bottom, right) {
    const { height, width, depth } = x;
    const wide = width + left + right + 1;
    const y = maps(height + top + bottom, wide, depth);
    for (let i = 0; i < height; i++) {
      y.values.set(x.values.subarray(i * width * depth, (i + 1) * width * depth), ((i + top) * wide + left) * depth);
    }
    return y;
  }

  // A kernel (rows, columns, in, out) as the loop reads it: blocks of four output maps, in each all taps, in each the four weights.
  function packed(kernel) {
    const { rows, columns, depth, filters, values } = kernel;
    const taps = rows * columns * depth, blocks = Math.ceil(filters / 4), weights = new Float32Array(blocks * taps * 4);
    for (let o = 0; o < filters; o++) {
      for (let t = 0; t < taps; t++) weights[((o >> 2) * taps + t) * 4 + (o & 3)] = values[t * filters + o];
    }
    return { rows, columns, depth, filters, weights };
  }

  // Every convolution: output pixel (row + step * i, column + step * j) sums the taps of the kernel whose first one lies on pixel (i, j)
  // of the padded input. Four maps and two pixels at a time keep sixteen numbers in registers.
  function convolve(input, kernel, bias, relu, output, row = 0, column = 0, step = 1) {
    const { rows, columns, depth, filters, weights } = kernel, { width: wide, values: x } = input;
    const { height, width, values: y } = output, across = columns * depth, taps = rows * across;
    const down = Math.ceil((height - row) / step), right = Math.ceil((width - column) / step);
    const put = (at, o, a, b, c, d) => {
      const value = [a, b, c, d];
      for (let k = 0; k < 4 && o + k < filters; k++) y[at + o + k] = relu && value[k] < 0 ? 0 : value[k];
    };
    const start = (o) => (bias && o < filters ? bias[o] : 0);
    for (let o = 0; o < filters; o += 4) {
      const block = (o >> 2) * taps * 4, whole = o + 4 <= filters;
      const b0 = start(o), b1 = start(o + 1), b2 = start(o + 2), b3 = start(o + 3);
      for (let i = 0; i < down; i++) {
        for (let j = 0; j < right; j += 2) {
          let a0 = b0, a1 = b1, a2 = b2, a3 = b3, e0 = b0, e1 = b1, e2 = b2, e3 = b3, w = block;
          for (let u = 0; u < rows; u++) {
            const first = ((i + u) * wide + j) * depth;
            for (let q = first; q < first + across; q++, w += 4) {
              const p = x[q], r = x[q + depth], w0 = weights[w], w1 = weights[w + 1], w2 = weights[w + 2], w3 = weights[w + 3];
              a0 += p * w0; a1 += p * w1; a2 += p * w2; a3 += p * w3;
              e0 += r * w0; e1 += r * w1; e2 += r * w2; e3 += r * w3;
            }
          }
          const at = ((row + step * i) * width + column + step * j) * filters, next = at + step * filters;
          if (whole) {
            const t = at + o, n = next + o;
            y[t] = relu && a0 < 0 ? 0 : a0; y[t + 1] = relu && a1 < 0 ? 0 : a1;
            y[t + 2] = relu && a2 < 0 ? 0 : a2; y[t + 3] = relu && a3 < 0 ? 0 : a3;
            if (j + 1 < right) {
              y[n] = relu && e0 < 0 ? 0 : e0; y[n + 1] = relu && e1 < 0 ? 0 : e1;
              y[n + 2] = relu && e2 < 0 ? 0 : e2; y[n + 3] = relu && e3 < 0 ? 0 : e3;
            }
          } else {
            put(at, o, a0, a1, a2, a3);
            if (j + 1 < right) put(next, o, e0, e1, e2, e3);
          }
        }
      }
    }
    return output;
  }

  // Stride 1 and as many zeros around as keep the size, one more below and to the right for an even kernel.
  function same(x, kernel, bias, relu) {
    const { rows, columns, filters } = kernel, top = (rows - 1) >> 1, left = (columns - 1) >> 1;
    const input = padded(x, top, left, rows - 1 - top, columns - 1 - left);
    return convolve(input, kernel, bias, relu, maps(x.height, x.width, filters));
  }

  // A transposed convolution of stride 2 is four convolutions, one for each phase of the output, each with every second tap of the
  // kernel along both axes, in reverse. `before` taps of the picture of one pixel are cropped at the top and left.
  function phases(kernel, before) {
    const { rows, depth, filters, values } = kernel;
    const axis = [0, 1].map((phase) => {
      const taps = [];
      for (let t = 0; t < rows; t++) if ((phase + before - t) % 2 === 0) taps.push({ t, source: (phase + before - t) / 2 });
      return taps.reverse(); // by source, from the smallest on
    });
    const parts = [];
    axis.forEach((down, row) => axis.forEach((right, column) => {
      const part = new Float32Array(down.length * right.length * depth * filters);
      let at = 0;
      for (const { t } of down) {
        for (const { t: s } of right) {
          part.set(values.subarray((t * rows + s) * depth * filters, (t * rows + s + 1) * depth * filters), at);
          at += depth * filters;
        }
      }
      const small = packed({ rows: down.length, columns: right.length, depth, filters, values: part });
      parts.push({ row, column, kernel: small, top: -down[0].source, left: -right[0].source });
    }));
    return parts;
  }

  function transposed(x, parts, bias, relu, height, width) {
    const { filters } = parts[0].kernel, y = maps(height, width, filters);
    const around = 1 + Math.max(...parts.flatMap(({ kernel, top, left }) => [top, left, kernel.rows, kernel.columns].map(Math.abs)));
    const input = padded(x, around, around, around, around);
    for (const { row, column, kernel, top, left } of parts) {
      const from = ((around - top) * input.width + around - left) * x.depth;
      convolve({ width: input.width, values: input.values.subarray(from) }, kernel, bias, relu, y, row, column, 2);
    }
    return y;
  }

  // A nearest-neighbour resize and a convolution in one: the transposed convolution whose kernel is the given one, convolved with a box.
  function tied(kernel) {
    const { rows: side, depth, filters, values } = kernel, rows = side + 1, sum = new Float32Array(rows * rows * depth * filters);
    const size = depth * filters;
    for (let t = 0; t < rows; t++) {
      for (let s = 0; s < rows; s++) {
        for (const [u, v] of [[0, 0], [0, 1], [1, 0], [1, 1]].map(([d, e]) => [side - 1 + d - t, side - 1 + e - s])) {
          if (u < 0 || v < 0 || u >= side || v >= side) continue;
          for (let c = 0; c < size; c++) sum[(t * rows + s) * size + c] += values[(u * side + v) * size + c];
        }
      }
    }
    return { rows, columns: rows, depth, filters, values: sum };
  }

  function resized(x, height, width) { // by nearest neighbour to twice the size, cropped
    const { depth } = x, y = maps(height, width, depth);
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const from = ((i >> 1) * x.width + (j >> 1)) * depth;
        y.values.set(x.values.subarray(from, from + depth), (i * width + j) * depth);
      }
    }
    return y;
  }

  function smoothed(x, height, width) { // by bilinear interpolation to twice the size, with half-pixel centres, cropped
    const { depth } = x, y = maps(height, width, depth);
    const sources = (at, size) => {
      const near = at >> 1, far = Math.min(Math.max(near + (at % 2 ? 1 : -1), 0), size - 1);
      return [[near, 0.75], [far, 0.25]];
    };
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        for (const [r, p] of sources(i, x.height)) {
          for (const [s, q] of sources(j, x.width)) {
            const from = (r * x.width + s) * depth, to = (i * width + j) * depth;
            for (let c = 0; c < depth; c++) y.values[to + c] += p * q * x.values[from + c];
          }
        }
      }
    }
    return y;
  }

  function shuffled(x, bias, relu, height, width) { // the maps of four phases side by side, then the bias, one a map
    const filters = x.depth / 4, y = maps(height, width, filters);
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const from = ((i >> 1) * x.width + (j >> 1)) * x.depth + (2 * (i & 1) + (j & 1)) * filters;
        for (let c = 0; c < filters; c++) {
          const value = x.values[from + c] + bias[c];
          y.values[(i * width + j) * filters + c] = relu && value < 0 ? 0 : value;
        }
      }
    }
    return y;
  }

  function pooled(x) { // the largest of each 2x2 block; at an odd edge, of what is there
    const { depth } = x, y = maps((x.height + 1) >> 1, (x.width + 1) >> 1, depth);
    y.values.fill(-Infinity);
    for (let i = 0; i < x.height; i++) {
      for (let j = 0; j < x.width; j++) {
        const from = (i * x.width + j) * depth, to = ((i >> 1) * y.width + (j >> 1)) * depth;
        for (let c = 0; c < depth; c++) if (x.values[from + c] > y.values[to + c]) y.values[to + c] = x.values[from + c];
      }
    }
    return y;
  }

  function joined(x, other, skips) {
    if (skips === "add") return maps(x.height, x.width, x.depth, x.values.map((value, i) => value + other.values[i]));
    const depth = x.depth + other.depth, y = maps(x.height, x.width, depth);
    for (let i = 0; i < x.height * x.width; i++) {
      y.values.set(x.values.subarray(i * x.depth, (i + 1) * x.depth), i * depth);
      y.values.set(other.values.subarray(i * other.depth, (i + 1) * other.depth), i * depth + x.depth);
    }
    return y;
  }

  // The ways up by 2, as models.DECODERS has them: each prepares a kernel (side, side, in, out) once, and gives a function
  // (maps, height, width) -> maps.
  const DECODERS = {
    nearest(kernel, bias, relu) {
      const parts = phases(tied(kernel), kernel.rows >> 1), plain = packed(kernel);
      return (x, height, width) => height === 2 * x.height && width === 2 * x.width
        ? transposed(x, parts, bias, relu, height, width)
        : same(resized(x, height, width), plain, bias, relu); // the zeros begin where it is cropped
    },
    bilinear(kernel, bias, relu) {
      const plain = packed(kernel);
      return (x, height, width) => same(smoothed(x, height, width), plain, bias, relu);
    },
    subpixel(kernel, bias, relu) {
      const plain = packed(kernel);
      return (x, height, width) => shuffled(same(x, plain, null, false), bias, relu, height, width);
    },
  };
  for (const side of [2, 3, 4]) {
    DECODERS[`transposed_${side}x${side}`] = (kernel, bias, relu) => {
      const parts = phases(kernel, Math.max(side - 2, 0) >> 1);
      return (x, height, width) => transposed(x, parts, bias, relu, height, width);
    };
  }

  // ---- Networks ----------------------------------------------------------------------------------------------------------------

  // What a file of the book holds: `model`, the arguments of models.build_autoencoder; `shapes` and `weights`, the arrays of
  // model.get_weights() one after the other, float32 in base64.
  function network({ model, shapes, weights }) {
    const bytes = Uint8Array.from(atob(weights), (letter) => letter.charCodeAt(0)), all = new Float32Array(bytes.buffer);
    let at = 0, next = 0;
    const take = () => {
      const shape = shapes[next++], size = shape.reduce((product, length) => product * length, 1);
      at += size;
      return { shape, values: all.subarray(at - size, at) };
    };
    const kernel = ({ shape: [rows, columns, depth, filters], values }) => ({ rows, columns, depth, filters, values });
    const turned = ({ shape: [rows, columns, filters, depth], values }) => { // Keras keeps a transposed one as (side, side, out, in)
      const swapped = new Float32Array(values.length);
      for (let t = 0; t < rows * columns; t++) {
        for (let o = 0; o < filters; o++) {
          for (let c = 0; c < depth; c++) swapped[(t * depth + c) * filters + o] = values[(t * filters + o) * depth + c];
        }
      }
      return { rows, columns, depth, filters, values: swapped };
    };
    const { filters, decoder, skips, image_shape: [height, width], output_convolution: convolved } = model;
    const encoder = filters.map(() => [packed(kernel(take())), take().values]);
    const ways = filters.map((_, i) => {
      const weight = take(), last = i === filters.length - 1 && !convolved;
      return DECODERS[decoder]((decoder.startsWith("transposed") ? turned : kernel)(weight), take().values, !last);
    });
    const final = convolved ? [packed(kernel(take())), take().values] : null;
    const sizes = [[height, width]];
    for (const _ of filters) sizes.push(sizes[sizes.length - 1].map((size) => (size + 1) >> 1));

    function encode(image) {
      const around = [];
      let x = image;
      for (const [weight, bias] of encoder) {
        x = same(x, weight, bias, true);
        around.push(x);
        x = pooled(x);
      }
      return { code: x, around: skips === "none" ? [] : convolved ? around : around.slice(1) };
    }

    // The maps that pass around the code may be left out: zeros take their place. `doubling` lets a code of any size grow uncropped.
    function decode(code, around = [], doubling = false) {
      let x = code;
      ways.forEach((way, i) => {
        const level = filters.length - 1 - i, size = doubling ? [2 * x.height, 2 * x.width] : sizes[level];
        x = way(x, ...size);
        if (skips !== "none" && (convolved || level > 0)) {
          const passing = around[convolved ? level : level - 1] || maps(x.height, x.width, filters[level]);
          x = joined(x, passing, skips);
        }
      });
      return final ? same(x, ...final, false) : x;
    }

    return { model, encode, decode, logits: (image) => { const { code, around } = encode(image); return decode(code, around); } };
  }

  const sigmoid = (x) => maps(x.height, x.width, x.depth, x.values.map((value) => 1 / (1 + Math.exp(-value))));

  // The picture that a decoder draws from the same code in every cell, far from the rim, as checkerboard.flat_answer takes it.
  function flatAnswer(net, level) {
    const cells = 16, code = maps(cells, cells, level.length);
    for (let i = 0; i < cells * cells; i++) code.values.set(level, i * level.length);
    const picture = net.decode(code, [], true), factor = picture.height / cells, start = 4 * factor, size = 4 * factor;
    const inner = maps(size, size, picture.depth);
    for (let i = 0; i < size; i++) {
      const from = ((start + i) * picture.width + start) * picture.depth;
      inner.values.set(picture.values.subarray(from, from + size * picture.depth), i * size * picture.depth);
    }
    return inner;
  }

  // ---- Noise -------------------------------------------------------------------------------------------------------------------

  // A counter-based generator: number `counter` of stream (seed, index) is a hash of the three, by the finisher of MurmurHash3.
  // NumPy's generator is another one, so the same seed draws other noise here than in the package.
  function bits(seed, index, counter) {
    let h = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(index + 0x7f4a7c15, 0xc2b2ae35);
    h = mixed(h);
    return mixed(h ^ Math.imul(counter + 1, 0x9e3779b1));
  }

  function mixed(h) {
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    return (h ^ (h >>> 16)) >>> 0;
  }

  const uniform = (seed, index, counter) => (bits(seed, index, counter) + 0.5) / 2 ** 32; // between 0 and 1, neither of them

  // The normal quantile by P. J. Acklam's rational approximation, off by 1.2e-9 of its value at most.
  const CENTRE = [
    [-3.969683028665376e1, 2.209460984245205e2, -2.759285104469687e2, 1.38357751867269e2, -3.066479806614716e1, 2.506628277459239],
    [-5.447609879822406e1, 1.615858368580409e2, -1.556989798598866e2, 6.680131188771972e1, -1.328068155288572e1, 1],
  ];
  const TAIL = [
    [-7.784894002430293e-3, -3.223964580411365e-1, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783],
    [7.784695709041462e-3, 3.224671290700398e-1, 2.445134137142996, 3.754408661907416, 1],
  ];
  const polynomial = (factors, x) => factors.reduce((sum, factor) => sum * x + factor, 0);

  function normal(share) {
    if (share > 0.97575) return -normal(1 - share);
    if (share < 0.02425) {
      const q = Math.sqrt(-2 * Math.log(share));
      return polynomial(TAIL[0], q) / polynomial(TAIL[1], q);
    }
    const q = share - 0.5, r = q * q;
    return (q * polynomial(CENTRE[0], r)) / polynomial(CENTRE[1], r);
  }

  // The count that a share of all counts of this mean stays below or at.
  function photons(mean, share) {
    if (mean > 600) { // Cornish and Fisher's expansion, closer than one of so many
      const z = normal(share);
      return Math.max(0, Math.ceil(mean + Math.sqrt(mean) * z + (z * z - 1) / 6 + (z - z ** 3) / (72 * Math.sqrt(mean)) - 0.5));
    }
    let count = 0, chance = Math.exp(-mean), sum = chance;
    while (sum < share && count < 2000) {
      chance *= mean / ++count;
      sum += chance;
    }
    return count;
  }

  // Each kind of noise.KINDS: a function of a picture, a level and a field, which gives the uniform number of a place.
  const KINDS = {
    gaussian: { meaning: "standard deviation of what is added, before clipping", unit: "white = 1", low: 0, high: 2,
      apply: (x, level, field) => x.values.map((value, i) => value + level * normal(field(i))) },
    speckle: { meaning: "standard deviation of what is added, before clipping", unit: "the pixel's own brightness = 1", low: 0, high: 2,
      apply: (x, level, field) => x.values.map((value, i) => value + level * value * normal(field(i))) },
    salt_and_pepper: { meaning: "probability of each pixel to turn white or black, half of them each", unit: "share of pixels", low: 0, high: 1,
      apply: (x, level, field) => {
        const pixels = x.height * x.width; // hit as a whole, all channels alike
        return x.values.map((value, i) => {
          const pixel = Math.floor(i / x.depth);
          return field(pixel) < level ? +(field(pixels + pixel) < 0.5) : value;
        });
      } },
    poisson: { meaning: "standard deviation of a white pixel, before clipping: its 1/level² expected photons are counted", unit: "white = 1",
      low: 0, high: 2,
      apply: (x, level, field) => x.values.map((value, i) => value > 0 && level > 0 ? level ** 2 * photons(value / level ** 2, field(i)) : value) },
    blur: { meaning: "standard deviation of the Gaussian that smooths height and width, mirrored at the border", unit: "pixels", low: 0, high: 5, certain: true,
      apply: (x, level) => blurred(x, level) },
    occlusion: { meaning: "side of a black square, placed at random", unit: "share of the shorter side", low: 0, high: 1,
      apply: (x, level, field) => {
        const side = evenly(level * Math.min(x.height, x.width));
        const top = Math.floor(field(0) * (x.height - side + 1)), left = Math.floor(field(1) * (x.width - side + 1));
        return x.values.map((value, i) => {
          const row = Math.floor(i / (x.width * x.depth)), column = Math.floor(i / x.depth) % x.width;
          return row >= top && row < top + side && column >= left && column < left + side ? 0 : value;
        });
      } },
  };

  const evenly = (value) => { // halves to the even number, as Python rounds
    const down = Math.floor(value);
    return value - down === 0.5 ? down + (down % 2) : Math.round(value);
  };

  function corrupt(image, kind, level, seed, index) {
    const values = KINDS[kind].apply(image, level, (place) => uniform(seed, index, place));
    return maps(image.height, image.width, image.depth, values.map((value) => Math.min(Math.max(value, 0), 1)));
  }

  function gaussian(sigma, radius) {
    const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) => Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)));
    const sum = weights.reduce((a, b) => a + b);
    return weights.map((weight) => weight / sum);
  }

  function blurred(x, sigma) { // as scipy.ndimage.gaussian_filter, cut at four sigmas, mirrored with the edge repeated
    const radius = Math.floor(4 * sigma + 0.5);
    if (sigma <= 0 || radius === 0) return x.values.slice();
    const weights = gaussian(sigma, radius), { height, width, depth } = x;
    const mirrored = (at, size) => {
      const place = ((at % (2 * size)) + 2 * size) % (2 * size);
      return place < size ? place : 2 * size - 1 - place;
    };
    const along = (values, size, step) => {
      const y = new Float32Array(values.length);
      for (let i = 0; i < values.length; i++) {
        const place = Math.floor(i / step) % size, line = i - place * step;
        let sum = 0;
        for (let k = -radius; k <= radius; k++) sum += weights[k + radius] * values[line + mirrored(place + k, size) * step];
        y[i] = sum;
      }
      return y;
    };
    return along(along(x.values, height, width * depth), width, depth);
  }

  // ---- Measures ----------------------------------------------------------------------------------------------------------------

  const PSNR_OF_EQUALS = 10 * Math.log10(12 * 255 ** 2); // an error below that of rounding to 256 levels counts as that

  function psnr(x, y) { // in dB
    let sum = 0;
    for (let i = 0; i < x.values.length; i++) sum += (x.values[i] - y.values[i]) ** 2;
    return Math.min(-10 * Math.log10(sum / x.values.length), PSNR_OF_EQUALS);
  }

  function ssim(x, y) { // Wang et al. 2004: a Gaussian window of sigma 1.5 in 11x11 pixels, over its places inside the picture
    const window = gaussian(1.5, 5), side = window.length, { height, width, depth } = x;
    const down = height - side + 1, right = width - side + 1, c1 = 0.01 ** 2, c2 = 0.03 ** 2;
    const row = width * depth, rows = new Float64Array(down * row);
    const means = (values) => {
      const all = new Float64Array(down * right * depth);
      for (let i = 0; i < rows.length; i++) {
        let sum = 0;
        for (let k = 0; k < side; k++) sum += window[k] * values[i + k * row];
        rows[i] = sum;
      }
      for (let i = 0, at = 0; i < down; i++) {
        for (let j = 0; j < right * depth; j++, at++) {
          let sum = 0;
          for (let k = 0; k < side; k++) sum += window[k] * rows[i * row + j + k * depth];
          all[at] = sum;
        }
      }
      return all;
    };
    const a = Float64Array.from(x.values), b = Float64Array.from(y.values);
    const [meanA, meanB, squares, products] = [a, b, a.map((p, i) => p * p + b[i] * b[i]), a.map((p, i) => p * b[i])].map(means);
    const sum = meanA.reduce((total, p, i) => {
      const q = meanB[i], brightness = (2 * p * q + c1) / (p * p + q * q + c1);
      return total + (brightness * (2 * (products[i] - p * q) + c2)) / (squares[i] - p * p - q * q + c2);
    }, 0);
    return sum / meanA.length;
  }

  // checkerboard.checkerboard_index: the power at the multiples of 1 / factor over that beside them.
  function checkerboardIndex(x, factor = 2) {
    const { height, width, depth } = x, largest = x.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
    const waves = (size) => {
      const hann = Float64Array.from({ length: size }, (_, i) => Math.sin((Math.PI * (i + 0.5)) / size) ** 2);
      const norm = Math.sqrt(hann.reduce((sum, value) => sum + value ** 2, 0)), all = [];
      for (let m = 0; m < factor; m++) {
        for (let d = -2; d <= 2; d++) {
          const angle = -2 * Math.PI * (m / factor + d / size);
          all.push([Math.cos, Math.sin].map((part) => hann.map((value, i) => (value / norm) * part(angle * i))));
        }
      }
      return all;
    };
    const rows = waves(height), columns = waves(width), side = rows.length, power = new Float64Array(side * side);
    let variance = 0;
    for (let c = 0; c < depth; c++) {
      const picture = new Float64Array(height * width).map((_, i) => (x.values[i * depth + c] - x.values[c]) / largest);
      const mean = picture.reduce((a, b) => a + b, 0) / picture.length;
      picture.forEach((value, i) => { picture[i] = value - mean; variance += (value - mean) ** 2 / (picture.length * depth); });
      rows.forEach(([real, imaginary], r) => {
        const a = new Float64Array(width), b = new Float64Array(width);
        picture.forEach((value, i) => { a[i % width] += real[Math.floor(i / width)] * value; b[i % width] += imaginary[Math.floor(i / width)] * value; });
        columns.forEach(([cosine, sine], s) => {
          let p = 0, q = 0;
          for (let j = 0; j < width; j++) { p += a[j] * cosine[j] - b[j] * sine[j]; q += a[j] * sine[j] + b[j] * cosine[j]; }
          power[r * side + s] += (p * p + q * q) / depth;
        });
      });
    }
    const floor = 1e-12 * variance;
    let sum = 0;
    for (let m = 1; m < factor * factor; m++) {
      let peak = 0, around = 0;
      for (let d = 0; d < 5; d++) {
        for (let e = 0; e < 5; e++) {
          const value = power[(5 * Math.floor(m / factor) + d) * side + 5 * (m % factor) + e];
          if (d % 4 && e % 4) peak += value / 9;
          else around += value / 16;
        }
      }
      sum += around + floor > 0 ? (peak + floor) / (around + floor) : 1;
    }
    return sum / (factor * factor - 1);
  }

  // How far the phases' means scatter, as a share of their root mean square: pixels of the same row and column modulo the period.
  function phaseScatter(x, period) {
    const { height, width, depth, values } = x, means = new Float64Array(period * period * depth), count = (height * width) / period ** 2;
    values.forEach((value, i) => {
      const pixel = Math.floor(i / depth), row = Math.floor(pixel / width) % period, column = (pixel % width) % period;
      means[(row * period + column) * depth + (i % depth)] += value / count;
    });
    const square = means.reduce((sum, value) => sum + value ** 2, 0) / means.length;
    let variance = 0;
    for (let c = 0; c < depth; c++) {
      const own = means.filter((_, i) => i % depth === c), mean = own.reduce((a, b) => a + b) / own.length;
      variance += own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / means.length;
    }
    return square ? Math.sqrt(variance / square) : 0;
  }

  // checkerboard.overlap_map along one axis: how many products each output position of transposed convolutions in a row sums.
  function overlap(length, kernelSize, stride, layers) {
    let counts = new Array(length).fill(1);
    for (let layer = 0; layer < layers; layer++) counts = painted(counts, new Array(kernelSize).fill(1), stride);
    return counts;
  }

  function painted(values, taps, stride) {
    const y = new Array((values.length - 1) * stride + taps.length).fill(0);
    values.forEach((value, i) => taps.forEach((tap, t) => { y[i * stride + t] += value * tap; }));
    return y;
  }

  // ---- Drawings ----------------------------------------------------------------------------------------------------------------

  // As the digits of MNIST were fitted: what is drawn is scaled into 20x20 pixels, its longer side 20, and put into the frame so that
  // its centre of mass is in pixel (14, 14), counted from 0. Gives null for an empty drawing.
  function fitted(x, size = 28, box = 20) {
    let top = x.height, bottom = -1, left = x.width, right = -1;
    for (let i = 0; i < x.height; i++) {
      for (let j = 0; j < x.width; j++) {
        if (x.values[i * x.width + j] > 0) {
          top = Math.min(top, i); bottom = Math.max(bottom, i); left = Math.min(left, j); right = Math.max(right, j);
        }
      }
    }
    if (bottom < 0) return null;
    const scale = box / Math.max(bottom - top + 1, right - left + 1);
    const rows = shares(bottom - top + 1, scale), columns = shares(right - left + 1, scale), small = maps(rows.length, columns.length, 1);
    let mass = 0, down = 0, across = 0;
    rows.forEach((row, i) => columns.forEach((column, j) => {
      let sum = 0;
      for (const [r, p] of row) for (const [s, q] of column) sum += p * q * x.values[(top + r) * x.width + left + s];
      small.values[i * small.width + j] = sum;
      mass += sum; down += sum * i; across += sum * j;
    }));
    const place = (centre, length) => Math.min(Math.max(Math.round(size / 2 - centre / mass), 0), size - length);
    const y = maps(size, size, 1), first = place(down, small.height), second = place(across, small.width);
    for (let i = 0; i < small.height; i++) {
      y.values.set(small.values.subarray(i * small.width, (i + 1) * small.width), (first + i) * size + second);
    }
    return y;
  }

  // For each pixel of a scaled line, the pixels that it covers, with their shares: a mean over its area.
  function shares(length, scale) {
    return Array.from({ length: Math.max(1, Math.round(length * scale)) }, (_, i, all = Math.max(1, Math.round(length * scale))) => {
      const from = (i * length) / all, to = ((i + 1) * length) / all, covered = [];
      for (let at = Math.floor(from); at < Math.min(Math.ceil(to), length); at++) {
        covered.push([at, (Math.min(to, at + 1) - Math.max(from, at)) / (to - from)]);
      }
      return covered;
    });
  }

  // The whole frame made smaller, each pixel the mean of what it covers: a drawing as it lies, in its corner if it lies there.
  function shrunk(x, size = 28) {
    const rows = shares(x.height, size / x.height), columns = shares(x.width, size / x.width), y = maps(size, size, 1);
    rows.forEach((row, i) => columns.forEach((column, j) => {
      for (const [r, p] of row) for (const [s, q] of column) y.values[i * size + j] += p * q * x.values[r * x.width + s];
    }));
    return y;
  }

  // Strokes, lists of points in a frame of side 1, drawn with a round pen into a square of `size` pixels, with soft edges.
  function drawn(strokes, size, pen, below = null) {
    const y = maps(size, size, 1, below ? below.values.slice() : undefined), radius = (pen * size) / 2;
    for (const stroke of strokes) {
      stroke.forEach(([x1, y1], i) => {
        const [x0, y0] = stroke[Math.max(i - 1, 0)].map((value) => value * size), dx = x1 * size - x0, dy = y1 * size - y0;
        const reach = radius + 1, clip = (value) => Math.min(Math.max(Math.floor(value), 0), size - 1), length = dx * dx + dy * dy;
        for (let r = clip(Math.min(y0, y0 + dy) - reach); r <= clip(Math.max(y0, y0 + dy) + reach); r++) {
          for (let c = clip(Math.min(x0, x0 + dx) - reach); c <= clip(Math.max(x0, x0 + dx) + reach); c++) {
            const px = c + 0.5 - x0, py = r + 0.5 - y0, t = length ? Math.min(Math.max((px * dx + py * dy) / length, 0), 1) : 0;
            const ink = Math.min(Math.max(radius + 0.5 - Math.hypot(px - t * dx, py - t * dy), 0), 1);
            if (ink > y.values[r * size + c]) y.values[r * size + c] = ink;
          }
        }
      });
    }
    return y;
  }

  return { maps, network, sigmoid, flatAnswer, DECODERS, KINDS, corrupt, uniform, normal, psnr, PSNR_OF_EQUALS, ssim, checkerboardIndex, phaseScatter, overlap, painted,
    fitted, shrunk, drawn };
}
