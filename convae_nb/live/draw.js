// Draw your own: a digit from the pad, noise on top, through a network. On the front page the pad and the denoiser alone.

convae.parts.draw = (root) => {
  "use strict";
  const { make } = convae, address = convae.addressOf("draw"), brief = root.dataset.brief !== undefined;
  const EXAMPLE = "4~", DECODERS = Object.keys(convae.engine.DECODERS), words = (name) => name.replace(/_/g, " ");
  const state = { ...convae.noiseState(address, "gaussian", 0.5), network: convae.NETWORKS[0] };
  if (convae.NETWORKS.includes(address.get("network"))) state.network = address.get("network");
  let drawn = null;

  const alert = convae.alert(), noisy = convae.strip("what goes in"), network = convae.strip("what the network makes of it");
  const told = make("span"), code = convae.row("the code"), around = make("p", { class: "convae-meaning" });
  const six = brief ? [] : DECODERS.map((name) => ({ name, strip: convae.strip(words(name)), told: make("span") }));
  const figure = (strip, ...text) => make("figure", { class: "convae-figure" }, strip.node, make("figcaption", {}, ...text));
  const pictures = make("div", { class: "convae-pair" }, figure(noisy, "under noise"), figure(network, "what the network makes of it: ", told));
  const decoders = make("div", { class: "convae-six" }, ...six.map(({ name, strip, told: score }) => figure(strip, words(name), make("br"), score)));
  const more = brief ? [] : [code.node, around, make("p", {}, make("b", {}, "Six decoders")),
    make("p", { class: "convae-meaning" }, "Basic networks that learned from clean digits, each with another way up. They are given your drawing without noise."), decoders];

  const draw = convae.latest(root, alert.say, async (stale) => {
    const { kind, level, seed } = state, image = drawn;
    for (const node of [pictures, ...more]) node.hidden = !image;
    if (!image) return "Nothing is drawn yet: draw a digit.";
    const [result] = await convae.ask("denoise", { name: state.network, images: [image], kind, level, seed });
    noisy.show([result.noisy]);
    network.show([result.network], { told: convae.told([result.scores.network]) });
    told.textContent = convae.told([result.scores.network]);
    if (!brief && !stale()) await drawMore(image, result);
    root.dispatchEvent(new CustomEvent("convae-drawn", { detail: { ...state, picture: image } }));
  });

  async function drawMore(image, { code: { height, width, depth, values } }) {
    const high = values.reduce((most, value) => Math.max(most, value), 1e-6);
    const maps = Array.from({ length: depth }, (_, c) => convae.engine.maps(height, width, 1, values.filter((_, i) => i % depth === c)));
    code.show(maps, { high, note: `${depth} maps of ${height}x${width}, white = ${high.toFixed(1)}` });
    around.textContent = state.network.startsWith("skip") ? "The encoder's maps pass around this code as well." : "";
    await Promise.all(six.map(async ({ name, strip, told: score }) => {
      const [result] = await convae.ask("denoise", { name: `fast_basic-${name}/0`, images: [image] });
      const text = `${result.scores.network.psnr.toFixed(1)} dB`;
      strip.show([result.network], { told: text });
      score.textContent = text;
    }));
  }

  function changed() {
    address.set({ kind: state.kind, level: state.level, seed: state.seed, network: state.network });
    draw();
  }

  const noise = convae.noiseControls(state, changed);
  const pad = convaePad({
    drawing: address.get("drawing", EXAMPLE),
    example: address.get("drawing", EXAMPLE) === EXAMPLE,
    digits: convae.loadDigits,
    changed: (x, text) => {
      if (text !== address.get("drawing", EXAMPLE)) address.set({ drawing: text || "." }); // "." is an empty pad
      drawn = x;
      draw();
    },
  });
  const networks = convae.choice("network", convae.NETWORKS, state.network, (value) => { state.network = value; changed(); });
  root.append(make("div", { class: "convae-desk" }, pad.node, pictures), alert.node,
    convae.controls(...(brief ? [noise.nodes[1], noise.nodes[3]] : [networks, ...noise.nodes]), convae.link(address)), ...(brief ? [] : [noise.meaning]), ...more);
};
