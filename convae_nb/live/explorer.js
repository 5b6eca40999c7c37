// The noise explorer without a kernel: digits, your own drawing or a picture of yours under noise, and what a network makes of them.

convae.NETWORKS = ["original_denoiser/0", "fast_denoiser/0", "range_denoiser/0", "skip_denoiser/0", "skip_range_denoiser/0", "original_basic/0"];

// A picture file, fitted into 28x28 grey pixels; it stays on the machine. Digits are bright on black, and ink on paper is not: `exchanged`
// says whether dark and light change places. If it is not given, they do where the picture's border is bright.
convae.readPicture = async (file, exchanged = null) => {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name} could not be read as a picture: PNG, JPEG, WebP and GIF can`);
  }
  const scale = 28 / Math.max(bitmap.width, bitmap.height), [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = convae.make("canvas", { width, height }), context = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(context, { imageSmoothingEnabled: true, imageSmoothingQuality: "high" });
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height), pixels = Array.from({ length: width * height }, (_, i) => (
    { grey: (0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2]) / 255, opacity: data[4 * i + 3] / 255 }));
  // What is drawn on nothing lies on white if it is dark, else on black.
  const opaque = pixels.reduce((sum, { opacity }) => sum + opacity, 0), mean = pixels.reduce((sum, { grey, opacity }) => sum + grey * opacity, 0) / (opaque || 1);
  const greys = pixels.map(({ grey, opacity }) => opacity * grey + (1 - opacity) * (mean < 0.5 && opaque < 0.99 * pixels.length ? 1 : 0));
  const border = greys.filter((_, i) => i < width || i >= width * (height - 1) || i % width === 0 || i % width === width - 1);
  const exchange = exchanged ?? convae.mean(border) > 0.5, x = convae.engine.maps(28, 28, 1);
  const top = Math.floor((28 - height) / 2), left = Math.floor((28 - width) / 2);
  greys.forEach((grey, i) => { x.values[(top + Math.floor(i / width)) * 28 + left + (i % width)] = exchange ? 1 - grey : grey; });
  return { picture: x, exchanged: exchange };
};

convae.parts.explorer = (root) => {
  "use strict";
  const { make } = convae, address = convae.addressOf("explorer"), OWN = "your drawing", FILE = "your picture";
  const SETS = ["one of each class", ...Array.from({ length: 10 }, (_, digit) => `ten times ${digit}`), OWN, FILE];
  const state = { ...convae.noiseState(address, "gaussian", 0.5), digits: SETS[0], network: convae.NETWORKS[0], drawing: address.get("drawing", "") };
  if (SETS.includes(address.get("digits"))) state.digits = address.get("digits");
  if (convae.NETWORKS.includes(address.get("network"))) state.network = address.get("network");
  let drawn = null, own = null, chosen = null;

  const alert = convae.alert(), curve = make("div", { class: "convae-curve" });
  const rows = Object.fromEntries(["clean", "noisy", "network", "network minus clean"].map((name) => [name, convae.row(name)]));
  const sets = convae.choice("digits", SETS, state.digits, (value) => { state.digits = value; changed(); });
  const file = make("input", { type: "file", accept: "image/*", onchange: () => take(file.files[0]) });
  const exchange = convae.box("exchange dark and light", false, (on) => take(chosen, on));
  const dropping = make("div", { class: "convae-drop" }, make("label", {}, "Choose a picture, or drop it here. It stays on your machine. ", file), exchange);
  root.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });
  document.addEventListener("dragover", (event) => { // beside this part nothing is taken, and no picture takes the page's place
    event.preventDefault();
    if (!root.contains(event.target)) event.dataTransfer.dropEffect = "none";
  });

  async function take(picture, exchanged = null) {
    if (!picture) return;
    try {
      own = await convae.readPicture(picture, exchanged);
    } catch (error) {
      alert.say(`${error.message}.${own && state.digits === FILE ? " The one before it is still shown." : ""}`);
      return;
    }
    chosen = picture;
    exchange.set(own.exchanged);
    state.digits = sets.querySelector("select").value = FILE;
    changed();
  }

  async function pictures() {
    if (state.digits === OWN) return drawn ? [drawn] : [];
    if (state.digits === FILE) return own ? [own.picture] : [];
    const all = await convae.loadDigits(), place = SETS.indexOf(state.digits);
    return place === 0 ? Array.from({ length: 10 }, (_, digit) => all[10 * digit]) : all.slice(10 * (place - 1), 10 * place);
  }

  const draw = convae.latest(root, alert.say, async (stale) => {
    const { kind, level, seed, network } = state, images = await pictures();
    for (const { node } of Object.values(rows)) node.hidden = !images.length;
    curve.hidden = !images.length;
    if (!images.length) return state.digits === OWN ? "Draw something." : "No picture is chosen.";
    const results = await convae.askForAll("denoise", { name: network, images, kind, level, seed });
    const errors = results.map((result, i) => convae.difference(result.network, images[i]));
    rows.clean.show(images, { note: images.length > 1 ? `${images.length} pictures` : "one picture" });
    rows.noisy.show(results.map(({ noisy }) => noisy), { note: convae.told(results.map(({ scores }) => scores.noisy)) });
    rows.network.show(results.map((result) => result.network), { note: convae.told(results.map(({ scores }) => scores.network)) });
    rows["network minus clean"].show(errors, { signed: true, note: "red: too bright, blue: too dark" });
    root.dispatchEvent(new CustomEvent("convae-drawn", { detail: { ...state } }));
    if (!stale()) trace.start(images, results.map(({ scores }) => scores));
  });

  const trace = convae.curve(curve, state);
  const pad = convaePad({ drawing: state.drawing, digits: convae.loadDigits, changed: (x, text) => { drawn = x; state.drawing = text; changed(); } });

  function changed() {
    show();
    address.set({ digits: state.digits, kind: state.kind, level: state.level, seed: state.seed, network: state.network, drawing: state.digits === OWN ? state.drawing : null });
    draw();
  }

  function show() {
    pad.node.hidden = state.digits !== OWN;
    dropping.hidden = state.digits !== FILE;
    exchange.hidden = !own;
  }

  const noise = convae.noiseControls(state, changed);
  root.append(
    convae.controls(
      sets,
      convae.choice("network", convae.NETWORKS, state.network, (value) => { state.network = value; changed(); }),
      convae.link(address, () => (state.digits === FILE ? FILE : ""))),
    convae.controls(...noise.nodes), noise.meaning, alert.node, pad.node, dropping,
    ...Object.values(rows).map(({ node }) => node), curve);
  show();
  draw();
};

// PSNR against level as SVG, for the pictures and the noise of a state: begun when the controls rest, a level at a time.
convae.curve = (host, state) => {
  "use strict";
  const { engine } = convae, LEFT = 44, TOP = 12, WIDTH = 330, HEIGHT = 130, MOST = 40, POINTS = 21;
  const kept = new Map();
  let asked = 0, timer = 0;

  function svg(levels, curves, present) {
    const x = (level) => LEFT + (WIDTH * (level - levels[0])) / (levels[POINTS - 1] - levels[0]), y = (psnr) => TOP + HEIGHT * (1 - Math.min(psnr, MOST) / MOST);
    const { unit } = engine.KINDS[state.kind], name = `level (${unit})`;
    let drawing = "";
    for (let psnr = 0; psnr <= MOST; psnr += 10) {
      drawing += `<path d="M${LEFT} ${y(psnr)}h${WIDTH}" stroke="currentColor" opacity=".2"/><text x="${LEFT - 6}" y="${y(psnr) + 4}" text-anchor="end">${psnr}</text>`;
    }
    for (let i = 0; i < POINTS; i += 5) drawing += `<text x="${x(levels[i])}" y="${TOP + HEIGHT + 16}" text-anchor="middle">${+levels[i].toFixed(2)}</text>`;
    drawing += `<text x="${LEFT + WIDTH / 2}" y="${TOP + HEIGHT + 34}" text-anchor="middle">${name}</text>`;
    drawing += `<text transform="translate(12 ${TOP + HEIGHT / 2}) rotate(-90)" text-anchor="middle">PSNR (dB)</text>`;
    [["network", 'stroke="#3f90da" fill="#3f90da"', "none"], ["noisy", 'stroke="#a96b59" fill="white"', "5 4"]].forEach(([row, style, dash], i) => {
      const points = curves.flatMap((point, k) => (point ? [`${x(levels[k]).toFixed(1)},${y(point[row]).toFixed(1)}`] : [])).join(" ");
      drawing += `<polyline points="${points}" ${style} style="fill: none" stroke-width="2" stroke-dasharray="${dash}"/>`;
      drawing += `<circle cx="${x(state.level)}" cy="${y(present[row])}" r="5" ${style} stroke-width="2"/>`;
      drawing += `<path d="M${LEFT + WIDTH + 12} ${TOP + 20 + 24 * i}h18" ${style} stroke-width="2" stroke-dasharray="${dash}"/>`;
      drawing += `<text x="${LEFT + WIDTH + 35}" y="${TOP + 24 + 24 * i}">${row} ${present[row].toFixed(1)} dB</text>`;
    });
    const said = `PSNR against level: at ${name} ${state.level}, noisy ${present.noisy.toFixed(1)} dB, network ${present.network.toFixed(1)} dB`;
    host.innerHTML = `<svg viewBox="0 0 ${LEFT + WIDTH + 155} ${TOP + HEIGHT + 40}" font-size="12" fill="currentColor" role="img" aria-label="${said}">${drawing}</svg>`;
  }

  async function run(images, present, own) {
    const { kind, seed, network } = state, { low, high } = engine.KINDS[kind];
    const levels = Array.from({ length: POINTS }, (_, i) => low + ((high - low) * i) / (POINTS - 1));
    const key = JSON.stringify([kind, seed, network, images.map(({ values }) => values.reduce((sum, value, i) => sum + value * ((i % 97) + 1), 0))]);
    const points = kept.get(key) || new Array(POINTS).fill(null);
    kept.set(key, points);
    svg(levels, points, present);
    await Promise.all(levels.map(async (level, i) => {
      await new Promise((resolve) => { setTimeout(resolve, 15 * i); }); // a new state finds the workers free
      if (points[i] || own !== asked) return;
      points[i] = await convae.ask("point", { name: network, images, kind, level, seed });
      if (own === asked) svg(levels, points, present);
    }));
  }

  return {
    start(images, scores) {
      const own = ++asked, present = { noisy: convae.mean(scores.map(({ noisy }) => noisy.psnr)), network: convae.mean(scores.map(({ network }) => network.psnr)) };
      clearTimeout(timer);
      timer = setTimeout(() => run(images, present, own).catch(() => {}), 150);
    },
  };
};
