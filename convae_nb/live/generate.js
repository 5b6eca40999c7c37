// Digits drawn from noise: the network denoises pure noise, fresh noise is laid over its guess, less of it each round, and so on.

convae.parts.generate = (root) => {
  "use strict";
  const { make, engine } = convae, address = convae.addressOf("generate");
  const COUNT = 10, ROUNDS = 25, FIRST = 1, LAST = 0.05, PAUSE = 200; // levels of the noise; ms a round
  const NETWORKS = { "through the code": "range_denoiser/0", "around the code as well": "skip_range_denoiser/0" };
  const level = (round) => FIRST + ((LAST - FIRST) * (round - 1)) / (ROUNDS - 1); // rounds count from 1
  const seed = address.number("seed", null, 0, 999999), calm = matchMedia("(prefers-reduced-motion: reduce)");
  const state = { seed: Math.round(seed), way: address.get("way"), round: Math.round(address.number("round", ROUNDS, 1, ROUNDS)) };
  if (!Object.hasOwn(NETWORKS, state.way)) [state.way] = Object.keys(NETWORKS);
  let rounds = [], of = state.seed, timer = 0; // of each round, the noisy pictures and the guesses, drawn from seed `of`

  const alert = convae.alert(), noisy = convae.row("shown to the network"), guess = convae.row("its guess");
  const slider = convae.slider("round", { min: 1, max: ROUNDS, step: 1, value: state.round }, (round) => go(round));
  const play = convae.button("play", () => (timer ? stop() : start()));
  play.classList.add("convae-play");
  const back = convae.button("back", () => go(state.round - 1)), step = convae.button("step", () => go(state.round + 1));
  const steps = convae.controls(slider, back, play, step);
  const others = convae.button("draw", () => {
    if (rounds.length) state.seed = (state.seed + 1) % 1_000_000;
    changed();
  });

  function show(round) {
    state.round = Math.min(Math.max(round, 1), rounds.length); // no further than the network has come
    const shown = rounds[state.round - 1];
    slider.set({ value: state.round });
    [back.disabled, step.disabled] = [state.round <= 1, state.round >= ROUNDS];
    noisy.show(shown.map((x) => x.noisy), { note: `noise of level ${level(state.round).toFixed(2)}` });
    guess.show(shown.map((x) => x.guess), { note: `round ${state.round} of ${ROUNDS}, seed ${of}` });
    play.hidden = calm.matches;
    others.textContent = "draw others";
    for (const node of [steps, noisy.node, guess.node]) node.hidden = false;
  }

  // ---- The film of the rounds ----------------------------------------------------------------------------------------------------
  function stop() {
    clearInterval(timer);
    timer = 0;
    play.textContent = "play";
    keep();
  }

  function start() {
    if (state.round >= ROUNDS) show(1);
    play.textContent = "stop";
    timer = setInterval(() => {
      if (state.round < rounds.length) show(state.round + 1);
      if (state.round >= ROUNDS) stop();
    }, PAUSE);
  }

  function go(round) {
    if (!rounds.length) return;
    show(round);
    stop();
  }

  // ---- Drawing -------------------------------------------------------------------------------------------------------------------
  const draw = convae.latest(root, alert.say, async (stale) => {
    const { seed: drawn, way } = state, made = [], asked = state.round;
    let guesses = Array.from({ length: COUNT }, () => engine.maps(28, 28, 1)); // black: the first noise has nothing under it
    while (made.length < ROUNDS) {
      // Each round has a field of noise of its own: that of another index.
      const details = { name: NETWORKS[way], images: guesses, level: level(made.length + 1), seed: drawn, past: made.length * COUNT };
      const images = await convae.askForAll("round", details);
      if (stale()) return;
      made.push(images);
      guesses = images.map((image) => image.guess);
      if (calm.matches || asked < ROUNDS) continue; // nothing moves: only the round asked for is shown
      [rounds, of] = [made, drawn];
      if (made.length === 1) {
        show(1);
        start();
      }
    }
    if (rounds !== made) {
      [rounds, of] = [made, drawn];
      show(asked);
    }
    root.dispatchEvent(new CustomEvent("convae-drawn", { detail: { ...state, pictures: guesses } }));
  }, "The network draws.");

  function keep() {
    address.set({ seed: state.seed, way: state.way, round: state.round < ROUNDS ? state.round : null });
  }

  function changed() {
    stop();
    state.round = ROUNDS;
    keep();
    draw();
  }

  root.append(
    convae.controls(convae.choice("feature maps pass", Object.keys(NETWORKS), state.way, (value) => { state.way = value; changed(); }), others, convae.link(address)),
    make("p", { class: "convae-meaning" }, `In the first of ${ROUNDS} rounds the network is shown noise alone. In each of the others fresh noise is laid over its last guess, and it guesses again. `
      + `The noise's level falls evenly from ${FIRST} to ${LAST}. With either network a seed draws the same noise.`),
    steps, noisy.node, guess.node, alert.node);
  for (const node of [steps, noisy.node, guess.node]) node.hidden = true;
  if (seed !== null) draw();
};
