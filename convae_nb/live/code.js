// What the code holds: a walk between two codes, maps of the code switched off, its numbers rounded to a few bits.

// The chapter's `rounded`: 2**bits levels between the least and the largest value of a map, which `ranges` gives for each.
convae.rounded = ({ height, width, depth, values }, ranges, bits) => convae.engine.maps(height, width, depth, values.map((value, i) => {
  const { low, high } = ranges[i % depth], most = 2 ** bits - 1, step = Math.max(high - low, 1e-9) / most;
  return low + step * Math.min(Math.max(Math.round((value - low) / step), 0), most);
}));

// The least and the largest value of each map in codes.
convae.rangesOf = (codes) => Array.from({ length: codes[0].depth }, (_, c) => codes.reduce(({ low, high }, { depth, values }) => {
  for (let i = c; i < values.length; i += depth) {
    low = Math.min(low, values[i]);
    high = Math.max(high, values[i]);
  }
  return { low, high };
}, { low: Infinity, high: -Infinity }));

// The mean entropy of the pixels, as metrics.entropy_floor: 0 for black and white, log 2 for grey.
convae.entropy = ({ values }) => {
  const of = (share) => (share > 0 ? -share * Math.log(share) : 0);
  return values.reduce((sum, value) => sum + of(value) + of(1 - value), 0) / values.length;
};

convae.parts.code = (root) => {
  "use strict";
  const { make, engine } = convae, address = convae.addressOf("code");
  const OWN = "your drawing", NETWORKS = ["original_basic/0", "fast_basic/0"];
  const MAPS = 8, STEPS = 9, AS_THEY_ARE = 32, decibels = (score) => `${score.toFixed(1)} dB`;

  // ---- State: an end is {digit, image}, the digit a class or OWN, the image which of the page's ten ---------------------------------
  const endOf = (text, otherwise) => {
    const [, digit, image] = /^([0-9])-([1-9]|10)$/.exec(text) || [];
    return digit ? { digit, image: +image } : text === "drawing" ? { digit: OWN, image: 1 } : otherwise;
  };
  const ownOnWalk = () => [state.from, state.to].some(({ digit }) => digit === OWN);
  const inAddress = ({ digit, image }) => (digit === OWN ? "drawing" : `${digit}-${image}`);
  const named = ({ digit, image }) => (digit === OWN ? OWN : `${digit}, image ${image}`);
  const bitsAsked = Math.round(address.number("bits", AS_THEY_ARE, 1, AS_THEY_ARE));
  const state = {
    from: endOf(address.get("from"), { digit: "7", image: 1 }), to: endOf(address.get("to"), { digit: "1", image: 2 }),
    t: address.number("t", 0.5, 0, 1), bits: bitsAsked > 8 ? AS_THEY_ARE : bitsAsked, network: NETWORKS[0],
    off: new Set(address.get("off", "").split(",").map(Number).filter((i) => Number.isInteger(i) && i >= 1 && i <= MAPS)),
  };
  if (NETWORKS.includes(address.get("network"))) state.network = address.get("network");
  let drawn = null, drawnText = address.get("drawing", "");

  // ---- What is known of a network: the codes of the page's digits, and with them each map's range --------------------------------
  const known = new Map();
  let digits = null;

  async function knownOf(network) {
    digits ||= await convae.loadDigits();
    if (!known.has(network)) {
      const codes = await convae.askForAll("codes", { name: network, images: digits });
      known.set(network, { codes, ranges: convae.rangesOf(codes) });
    }
    return known.get(network);
  }

  async function endNow({ digit, image }, network, { codes }) {
    if (digit !== OWN) return { picture: digits[10 * +digit + image - 1], code: codes[10 * +digit + image - 1] };
    return { picture: drawn, code: drawn && await convae.ask("encode", { name: network, image: drawn }) };
  }

  const mixed = (a, b, t) => engine.maps(a.height, a.width, a.depth, a.values.map((value, i) => (1 - t) * value + t * b.values[i]));

  // ---- What is seen --------------------------------------------------------------------------------------------------------------
  const alert = convae.alert();
  const large = ["code", "pixels"].map((way) => ({ strip: convae.strip(way === "code" ? "drawn from the code" : "the pixels mixed"), told: make("span") }));
  const figures = large.map(({ strip, told }, i) => make("figure", { class: "convae-figure" }, strip.node,
    make("figcaption", {}, make("b", {}, ["from the code", "the pixels, mixed"][i]), make("br"), told)));
  const walks = ["code", "pixels"].map((way) => {
    const strip = convae.strip(`the walk, ${way}`), frame = make("div", { class: "convae-step" }), name = make("b", {}, way), note = make("span");
    return { strip, frame, note, node: make("div", { class: "convae-walk" },
      make("div", { class: "convae-note" }, name, " ", note), make("div", { class: "convae-steps" }, strip.node, frame)) };
  });
  const maps = Array.from({ length: MAPS }, (_, i) => {
    const strip = convae.strip(`map ${i + 1}`);
    const box = make("input", { type: "checkbox", "aria-label": `map ${i + 1}`, onchange: () => {
      state.off[box.checked ? "delete" : "add"](i + 1);
      changed();
    } });
    return { strip, box, node: make("label", { class: "convae-map" }, strip.node, make("span", {}, box, ` map ${i + 1}`)) };
  });
  const scale = make("p", { class: "convae-meaning" }), rounding = make("p", { class: "convae-meaning" });
  const size = make("span"), quality = make("span"), result = make("p", { class: "convae-result" }, size, " ", quality);
  const ends = ["first digit (t = 0)", "second digit (t = 1)"].map((name) => convae.row(name));

  const switchAll = (on) => {
    state.off = new Set(on ? [] : maps.map((_, i) => i + 1));
    changed();
  };
  const desk = make("div", { class: "convae-desk" }, make("div", { class: "convae-pair" }, ...figures),
    make("div", { class: "convae-maps" }, make("div", { class: "convae-grid" }, ...maps.map(({ node }) => node)),
      convae.controls(convae.button("all on", () => switchAll(true)), convae.button("all off", () => switchAll(false))), scale));
  const seen = make("div", {}, result, desk, ...walks.map(({ node }) => node), ...ends.map(({ node }) => node), rounding);

  // ---- Drawing: the present picture first, the walk when it has changed ------------------------------------------------------------
  let walked = "", scores = null;

  const draw = convae.latest(seen, alert.say, async (stale) => {
    const { t, bits, network } = state, off = new Set(state.off), about = await knownOf(network);
    const [a, b] = await Promise.all([state.from, state.to].map((end) => endNow(end, network, about)));
    const whole = Boolean(a.picture && b.picture);
    seen.hidden = !whole;
    if (!whole) return "Nothing is drawn yet: draw a digit.";
    // What the decoder is given: mixed, then rounded, then without the maps that are off.
    const given = (share) => {
      const way = mixed(a.code, b.code, share), code = bits === AS_THEY_ARE ? way : convae.rounded(way, about.ranges, bits);
      return engine.maps(code.height, code.width, code.depth, code.values.map((value, i) => (off.has((i % code.depth) + 1) ? 0 : value)));
    };
    const code = given(t), pixels = mixed(a.picture, b.picture, t);
    const [picture] = await convae.ask("decode", { name: network, codes: [code] });
    [picture, pixels].forEach((x, i) => {
      const told = `t = ${t.toFixed(2)}, mean entropy ${convae.entropy(x).toFixed(3)} nats per pixel`;
      large[i].strip.show([x], { told });
      large[i].told.textContent = told;
    });
    showMaps(code, about, [a.code, b.code], off);
    showSize(code, bits, off, about);
    const step = Math.round(t * (STEPS - 1));
    for (const { frame } of walks) frame.style.left = `${(100 * step) / STEPS}%`;
    const key = JSON.stringify([network, inAddress(state.from), inAddress(state.to), ownOnWalk() && drawnText, [...off].sort(), bits]);
    if (stale()) return;
    if (key !== walked) await showWalk(a, b, given, network, bits, off);
    walked = key;
    walks[0].note.textContent = `t from 0 to 1 in ${STEPS} steps; the frame is on step ${step + 1}, the nearest to t = ${t.toFixed(2)}`;
    root.dispatchEvent(new CustomEvent("convae-drawn", { detail: { ...state, off: [...off], code, picture, pixels, psnr: scores } }));
  });

  function showMaps({ height, width, depth, values }, { ranges, codes: all }, ends, off) {
    const high = Math.max(...[...ranges, ...convae.rangesOf(ends)].map((range) => range.high), 1e-6);
    maps.forEach(({ strip, box }, c) => {
      const map = engine.maps(height, width, 1, values.filter((_, i) => i % depth === c));
      strip.show([map], { high, told: off.has(c + 1) ? "switched off" : `from ${Math.min(...map.values).toFixed(2)} to ${Math.max(...map.values).toFixed(2)}` });
      box.checked = !state.off.has(c + 1); // which may be newer
    });
    const dead = ranges.flatMap((range, c) => (range.high > 0 ? [] : [c + 1]));
    scale.textContent = `What the decoder is given, ${depth} maps of ${height}x${width}: black is 0, white ${high.toFixed(2)}, `
      + `the largest value in the codes of ${all.length} test digits and of the two chosen. `
      + `A map that is off is 0 everywhere; in the chapter's “Take one map away” it was given its mean instead.`
      + dead.map((c) => ` Map ${c} is 0 in the codes of all ${all.length}.`).join("");
  }

  function showSize({ height, width, depth }, bits, off, { codes }) {
    const on = depth - off.size, numbers = on * height * width, levels = bits === AS_THEY_ARE ? "float32" : `${2 ** bits} levels`;
    size.textContent = `${on} of ${depth} maps, ${numbers} numbers × ${bits} ${bits === 1 ? "bit" : "bits"} (${levels}) / 8 = ${(numbers * bits) / 8} bytes.`;
    rounding.textContent = "With fewer than 32 bits, each number of the mixed code takes the nearest of 2 to the power of bits levels, evenly spaced between the "
      + `least and the largest value that its map has in the codes of ${codes.length} test digits. (The chapter takes that range from training digits.)`;
  }

  async function showWalk(a, b, given, network, bits, off) {
    const shares = Array.from({ length: STEPS }, (_, i) => i / (STEPS - 1));
    const [steps, plain] = await Promise.all([shares.map(given), [a.code, b.code]].map((codes) => convae.ask("decode", { name: network, codes })));
    walks[0].strip.show(steps, { told: `${named(state.from)} to ${named(state.to)}` });
    walks[1].strip.show(shares.map((share) => mixed(a.picture, b.picture, share)), { told: `${named(state.from)} to ${named(state.to)}` });
    scores = [a, b].map(({ picture }, i) => engine.psnr(picture, steps[i ? STEPS - 1 : 0]));
    quality.textContent = `PSNR of the first digit's reconstruction: ${decibels(scores[0])}, of the second's: ${decibels(scores[1])}.`;
    [a, b].forEach(({ picture }, i) => {
      const before = bits === AS_THEY_ARE && !off.size ? "" : `; with all maps and 32 bits ${decibels(engine.psnr(picture, plain[i]))}`;
      ends[i].show([picture, steps[i ? STEPS - 1 : 0]], { note: `digit and reconstruction: PSNR ${decibels(scores[i])}${before}` });
    });
  }

  // ---- Controls ------------------------------------------------------------------------------------------------------------------
  function endControls(key, label) {
    const classes = convae.choice(label, [...Array.from({ length: 10 }, (_, digit) => `${digit}`), OWN], state[key].digit, (digit) => set({ ...state[key], digit }, true));
    const images = convae.choice("image", Array.from({ length: 10 }, (_, i) => `${i + 1}`), `${state[key].image}`, (image) => set({ ...state[key], image: +image }, true));
    const set = (end, follow = false) => {
      state[key] = end;
      classes.querySelector("select").value = end.digit;
      images.hidden = end.digit === OWN;
      if (end.digit === OWN) drawing.open = true;
      if (follow) changed();
    };
    images.hidden = state[key].digit === OWN;
    images.querySelector("select").setAttribute("aria-label", `${label} digit: which of its ten images`);
    return { nodes: [classes, images], set };
  }

  const first = endControls("from", "from"), second = endControls("to", "to");

  const pad = convaePad({
    drawing: drawnText,
    digits: convae.loadDigits,
    changed: (x, text) => {
      drawn = x;
      if (text === drawnText) return void draw(); // what a link has brought
      drawnText = text;
      if (text && !ownOnWalk()) first.set({ ...state.from, digit: OWN });
      changed();
    },
  });
  const drawing = make("details", { open: ownOnWalk() },
    make("summary", {}, "Draw a digit of your own"), make("p", { class: "convae-meaning" }, "It takes the first digit's place, unless it is on the walk already."), pad.node);

  function changed() {
    address.set({
      from: inAddress(state.from), to: inAddress(state.to), t: state.t, off: [...state.off].sort().join(","),
      bits: state.bits, network: state.network, drawing: ownOnWalk() ? drawnText : null,
    });
    draw();
  }

  root.classList.add("convae-code");
  const fewer = convae.slider("bits per number", { min: 1, max: 9, step: 1, value: Math.min(state.bits, 9), told: (place) => (place > 8 ? "32 (as they are)" : `${place}`) },
    (place) => { state.bits = place > 8 ? AS_THEY_ARE : place; changed(); });
  fewer.classList.add("convae-bits");
  root.append(
    convae.controls(...first.nodes, ...second.nodes, convae.choice("network", NETWORKS, state.network, (value) => { state.network = value; changed(); }), convae.link(address)),
    drawing,
    convae.controls(convae.slider("t", { min: 0, max: 1, step: 0.01, value: state.t, told: (t) => t.toFixed(2) }, (t) => { state.t = t; changed(); })),
    make("p", { class: "convae-meaning" }, "The decoder draws from (1 − t) a + t b, where a is the first digit's code and b the second's; beside it the same mixture of their pixels."),
    convae.controls(fewer),
    alert.node, seen);
  seen.hidden = true;
  draw();
};
