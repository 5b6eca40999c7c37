// Checkerboards under sliders: what transposed convolutions in a row make of flat input, and six trained decoders, each with its index.

convae.parts.checkerboards = (root) => {
  "use strict";
  const { make, engine } = convae, address = convae.addressOf("checkerboards");
  const WEIGHTS = ["all equal", "random", "tied"], DIMENSIONS = ["one dimension", "two dimensions"];
  const DECODERS = Object.keys(engine.DECODERS), PERIODS = [8, 4, 2], SHOWN = 256; // outputs a side: of more, the first ones are drawn
  const DIGITS = Array.from({ length: 10 }, (_, digit) => `a ${digit} of the test set`), OWN = "your drawing";
  const get = (key, all, otherwise = all[0]) => { const value = address.get(key); return all.includes(value) ? value : otherwise; };
  const number = (key, otherwise, low, high) => Math.round(address.number(key, otherwise, low, high));
  const state = {
    kernel: number("kernel", 3, 1, 7), stride: number("stride", 2, 1, 4), layers: number("layers", 1, 1, 3), seed: number("seed", 0, 0, 999999),
    weights: get("weights", WEIGHTS), dimensions: get("dimensions", DIMENSIONS),
    bare: get("bare", ["no", "yes"]), picture: get("picture", [...DIGITS, OWN], DIGITS[4]), drawing: address.get("drawing", ""),
  };
  let drawn = null;

  const drew = (what, more) => root.dispatchEvent(new CustomEvent("convae-drawn", { detail: { ...state, what, ...more } }));
  const short = (value) => String(+value.toPrecision(4));

  // ---- Flat input ----------------------------------------------------------------------------------------------------------------
  const line = make("div", { class: "convae-line" }), told = make("p", { role: "status" });
  const board = convae.strip("the same in two dimensions"), greys = make("figcaption"), figure = make("figure", { class: "convae-figure convae-board" }, board.node, greys);
  const below = make("p", { class: "convae-meaning" });

  // The weights of a layer along one axis. Tied ones are random ones, convolved with a box of the stride's length.
  function taps(layer) {
    const own = Array.from({ length: state.kernel }, (_, t) => (state.weights === "all equal" ? 1 : engine.normal(engine.uniform(state.seed, layer, t))));
    return state.weights === "tied" ? engine.painted(own, new Array(state.stride).fill(1), 1) : own;
  }

  // Each input pixel paints a patch, a period after the one before. So many outputs at each end lack the patch of an input beyond it as
  // patches overlap; there are so many inputs that two periods at least lie between.
  function stack() {
    const kernels = Array.from({ length: state.layers }, (_, layer) => taps(layer)), period = state.stride ** state.layers;
    const patch = kernels.reduce((wide, { length }) => (wide - 1) * state.stride + length, 1), rim = Math.max(0, patch - period);
    const cells = Math.max(6, 2 + Math.ceil(rim / period));
    const values = kernels.reduce((input, weights) => engine.painted(input, weights, state.stride), new Array(cells).fill(1));
    const middle = values.slice(rim, values.length - rim), ends = [Math.min(...middle), Math.max(...middle)];
    const flat = ends[1] - ends[0] <= 1e-9 * Math.max(...values.map(Math.abs)); // what rounding leaves
    return { cells, period, patch, rim, values, ends, flat, width: kernels[0].length };
  }

  function showLine({ cells, period, patch, rim, values }) {
    const count = Math.min(values.length, SHOWN), few = values.slice(0, count), low = Math.min(0, ...few), high = Math.max(0, ...few);
    const wide = 640, bars = 120, fan = 36, cell = 14, step = wide / count, gap = step > 4 ? 0.1 * step : 0, least = 0.5;
    const y = (value) => (bars * (high - value)) / (high - low || 1), at = (value) => value.toFixed(2);
    const outputs = few.map((value, i) => `<rect x="${at(i * step)}" y="${at(y(Math.max(value, 0)))}" width="${at(step - gap)}" `
      + `height="${at(Math.max(Math.abs(y(value) - y(0)), least))}" opacity="${i < rim || i >= values.length - rim ? 0.35 : 0.85}"/>`);
    const inputs = Array.from({ length: cells }, (_, i) => {
      const from = i * period, size = Math.min(period, patch) * step - 2, left = (from + patch / 2) * step - size / 2, top = bars + fan;
      return `<path opacity=".12" d="M${at(from * step)} ${bars}H${at((from + patch) * step)}L${at(left + size)} ${top}H${at(left)}z"/>`
        + `<path opacity=".6" d="M${at(left)} ${top}h${at(size)}v${cell}h${at(-size)}z"/>`;
    });
    const said = `${values.length} outputs as bars above ${cells} equal input pixels`;
    line.innerHTML = `<svg viewBox="0 0 ${wide} ${bars + fan + cell}" fill="currentColor" role="img" aria-label="${said}">${inputs.join("")}${outputs.join("")}</svg>`;
  }

  function showBoard({ values }) {
    const size = Math.min(values.length, SHOWN), square = engine.maps(size, size, 1);
    let low = Infinity, high = -Infinity;
    square.values.forEach((_, i) => {
      const value = values[Math.floor(i / size)] * values[i % size];
      square.values[i] = value;
      low = Math.min(low, value);
      high = Math.max(high, value);
    });
    greys.textContent = `Black is ${short(low)}, white ${short(high)}.`;
    board.show([square], { low, high: high > low ? high : low + 1, told: greys.textContent });
    board.node.style.width = `${size * Math.max(1, Math.floor(320 / size))}px`; // whole pixels for each: no other pattern comes in
  }

  function showFlat() {
    const found = stack(), { cells, period, values, ends, flat, width } = found, flatly = state.dimensions === DIMENSIONS[0];
    const count = (size) => (flatly ? `${size}` : `${size}x${size}`), { kernel, stride } = state;
    const products = flatly ? ends : [ends[0] ** 2, ends[0] * ends[1], ends[1] ** 2], least = Math.min(...products), most = Math.max(...products);
    told.textContent = `From ${count(cells)} equal pixels ${count(values.length)} outputs${values.length > SHOWN ? `, of which the first ${count(SHOWN)} are drawn` : ""}. `
      + `The stride ${stride} ${kernel % stride ? "does not divide" : "divides"} the kernel size ${kernel}. `
      + (state.weights === "tied" ? `A tied kernel is ${count(width)}${flatly ? " wide" : ""}. ` : "")
      + `Away from the ${flatly ? "ends" : "border"} ${flat ? `all are ${short(most)}: flat.` : `they lie between ${short(least)} and ${short(most)}, and repeat every ${period}.`}`;
    below.textContent = flatly ? "Below are the input pixels, all 1, each joined to the outputs that it paints. Pale outputs lie so near to an end that a neighbour is missing which would paint there."
      : "Of separable kernels: an output is the product of those of its row and of its column in one dimension.";
    line.hidden = !flatly;
    figure.hidden = flatly;
    others.disabled = state.weights === "all equal";
    showLine(found);
    if (!flatly || values.length <= SHOWN / 4) showBoard(found); // a large one takes some milliseconds: not while it is hidden
    drew("flat", found);
  }

  const moved = (key) => (value) => { state[key] = value; keep(); showFlat(); };
  const slide = (key, label, min, max) => convae.slider(label, { min, max, step: 1, value: state[key] }, moved(key));
  const others = convae.button("other weights", () => moved("seed")((state.seed + 1) % 1_000_000));

  // ---- Six decoders --------------------------------------------------------------------------------------------------------------
  const alert = convae.alert();
  const columns = DECODERS.map((name) => {
    const words = name.replace(/_/g, " ");
    const shown = Object.fromEntries([["flat", "flat input"], ["logits", "logits"], ["image", "picture"]].map(([key, label]) =>
      [key, { strip: convae.strip(`${words}, ${label}`), told: make("figcaption") }]));
    const figures = Object.values(shown).map(({ strip, told: score }) => make("figure", { class: "convae-figure" }, strip.node, score));
    return { name, shown, node: make("div", { class: "convae-decoder" }, make("b", {}, words), ...figures) };
  });
  const table = make("div", { class: "convae-decoders" }, ...columns.map(({ node }) => node));

  const stretched = (x) => {
    const low = Math.min(...x.values), high = Math.max(...x.values);
    const flat = high - low < 1e-4 * Math.max(Math.abs(low), Math.abs(high)); // what is left is rounding
    return { low: flat ? low - 1 : low, high: flat ? low + 1 : high, range: `${low.toFixed(1)} to ${high.toFixed(1)}` };
  };

  const draw = convae.latest(table, alert.say, async (stale) => {
    const image = state.picture === OWN ? drawn : (await convae.loadDigits())[10 * DIGITS.indexOf(state.picture)];
    table.hidden = !image;
    if (!image) return "Nothing is drawn yet: draw a digit.";
    const ending = state.bare === "yes" ? "-bare" : "";
    const all = await Promise.all(DECODERS.map((name) => convae.ask("checkered", { name: `fast_basic-${name}${ending}/0`, image })));
    if (stale()) return;
    const measured = all.map((found, i) => showDecoder(columns[i].shown, found));
    drew("decoders", { measured });
  });

  function showDecoder(shown, { flat, logits, image }) {
    const ofFlat = stretched(flat.picture), ofLogits = stretched(logits.picture);
    const scatter = Object.fromEntries(PERIODS.map((period) => [period, engine.phaseScatter(flat.picture, period)]));
    const shares = PERIODS.map((period, i) => `${Math.round(100 * scatter[period])} % of ${i ? "" : "period "}${period}`).join(", ");
    const texts = {
      flat: `flat input: ${ofFlat.range}, scatter ${shares}`,
      logits: `logits: ${ofLogits.range}, index ${logits.index.toFixed(2)}`,
      image: `picture: index ${image.index.toFixed(2)}`,
    };
    shown.flat.strip.show([flat.picture], { ...ofFlat, told: texts.flat });
    shown.logits.strip.show([logits.picture], { ...ofLogits, told: texts.logits });
    shown.image.strip.show([image.picture], { told: texts.image });
    for (const key of Object.keys(texts)) shown[key].told.textContent = texts[key];
    return { scatter, logits: logits.index, image: image.index };
  }

  const choice = convae.choice("shown", [...DIGITS, OWN], state.picture, (value) => choose(value));
  const pad = convaePad({ drawing: state.drawing, digits: convae.loadDigits, changed: (x, text) => {
    drawn = x;
    if (text === state.drawing) { // what a link has brought, or the digit below a drawing
      if (state.picture === OWN) draw();
      return;
    }
    state.drawing = text;
    if (text || state.picture === OWN) choose(OWN);
  } });
  const drawing = make("details", { open: state.picture === OWN }, make("summary", {}, "Draw a digit of your own"), pad.node);

  function choose(picture) {
    state.picture = picture;
    choice.querySelector("select").value = picture;
    if (picture === OWN) drawing.open = true;
    keep();
    draw();
  }

  function keep() {
    address.set(Object.fromEntries(Object.entries(state).map(([key, value]) => [key, key === "drawing" && state.picture !== OWN ? null : value])));
  }

  root.classList.add("convae-checkerboards");
  root.append(
    convae.controls(slide("kernel", "kernel size", 1, 7), slide("stride", "stride", 1, 4), slide("layers", "layers", 1, 3)),
    convae.controls(convae.choice("weights", WEIGHTS, state.weights, moved("weights")), others,
      convae.choice("drawn in", DIMENSIONS, state.dimensions, moved("dimensions")), convae.link(address)),
    make("p", { class: "convae-meaning" }, "Tied weights are random ones, convolved with a box of the stride's length. That makes the phases equal: "
      + "it is what a nearest-neighbour resize followed by a convolution does. Such a kernel is as wide as kernel size and stride together, less 1. All layers have the same sizes; random weights are new in each."),
    figure, line, told, below,
    make("p", {}, make("b", {}, "Six trained decoders")),
    convae.controls(choice, convae.box("without the last convolution", state.bare === "yes", (value) => { state.bare = value ? "yes" : "no"; keep(); draw(); })),
    drawing, alert.node, table,
    make("p", { class: "convae-meaning" }, "Flat input is the mean code of what is shown, in every cell, and what is drawn from it is seen far from the border. It and the logits are "
      + "stretched from their smallest to their largest value. The scatter is the standard deviation of the phases' means as a share of their root mean square. "
      + "The checkerboard index compares the power of checkerboards and stripes of period 2 with the power around them: for white noise it is about 1, and for a single digit it wanders."));
  table.hidden = true;
  showFlat();
  draw();
};
