// A pad to draw a digit on: by mouse, touch or pen, or with the arrow keys and the space bar. It keeps strokes, not pixels: they can be
// undone, and written into a link.

function convaePad(options) {
  "use strict";
  const { changed, drawing = "", digits = null, fit = true, pen = 0.09 } = options;
  const engine = convaeEngine(), SIDE = 224, FINE = 112, STEPS = 511, NEAR = 0.012; // NEAR: points of a stroke are at least so far apart
  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  let strokes = [], base = null, baseName = "", lastFit = fit, past = [], { example = false } = options; // an example gives place to a drawing
  let current = null, under = null, pointer = null, cursor = [0.5, 0.5], byKeys = false; // current: the stroke under the pen, which keys move if no pointer does

  const element = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const canvas = element("canvas", { width: SIDE, height: SIDE, className: "convae-pad-canvas", tabIndex: 0 });
  const seen = element("canvas", { width: 28, height: 28, className: "convae-pad-seen" });
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", "Drawing pad. Arrow keys move the pen, the space bar puts it down and lifts it, Backspace undoes, Delete clears.");
  seen.setAttribute("role", "img");
  seen.setAttribute("aria-label", "What the network is given, 28 by 28 pixels");
  const undo = element("button", { type: "button", textContent: "undo", onclick: () => bringBack() });
  const clear = element("button", { type: "button", textContent: "clear", onclick: () => startFrom("") });
  const fitting = element("input", { type: "checkbox", checked: fit, onchange: () => { lastFit = fitting.checked; update(); } });
  const begin = element("select", { onchange: () => startFrom(begin.value) }, element("option", { value: "", textContent: "nothing" }));
  for (let digit = 0; digits && digit < 10; digit++) begin.append(element("option", { value: `${digit}`, textContent: `a ${digit} of the test set` }));

  const damaged = element("p", { className: "convae-pad-told" });
  damaged.setAttribute("role", "status");

  const quantised = (value) => Math.round(Math.min(Math.max(value, 0), 1) * STEPS) / STEPS;

  // ---- What is drawn, and what was before each change ----------------------------------------------------------------------------
  function remember() {
    past.push({ strokes: [...strokes], base, baseName, example });
    example = false;
  }

  function bringBack() {
    if (!past.length) return;
    const before = past.pop();
    lift();
    ({ strokes, example } = before);
    setBase(before.baseName, before.base);
    update();
  }

  function startFrom(name) {
    if (!name && !strokes.length && !baseName) return; // nothing to clear
    remember();
    lift();
    strokes = [];
    setBase(name);
    update();
  }

  function putDown(point) {
    const instead = example;
    remember();
    if (instead) {
      strokes = [];
      setBase("");
    }
    current = [point];
    strokes.push(current);
    under = null;
  }

  function lift() {
    current = pointer = under = null;
  }

  function setBase(name, picture = null) {
    baseName = name;
    base = picture;
    under = null;
    begin.value = name;
    if (picture || !name || !digits) return;
    digits().then((all) => {
      if (baseName !== name) return;
      base = all[10 * +name];
      under = null;
      update();
    });
  }

  // Large, with soft edges: a digit or a picture below, each of its pixels a square, and the strokes. All but the one under the pen are
  // drawn once.
  function fine() {
    if (!under) {
      let below = null;
      if (base) {
        const times = FINE / base.width;
        below = engine.maps(FINE, FINE, 1);
        below.values.forEach((_, i) => { below.values[i] = base.values[Math.floor(Math.floor(i / FINE) / times) * base.width + Math.floor((i % FINE) / times)]; });
      }
      under = engine.drawn(strokes.filter((stroke) => stroke !== current), FINE, pen, below);
    }
    return current ? engine.drawn([current], FINE, pen, under) : under;
  }

  // The picture that goes in, or null if nothing is drawn.
  function picture() {
    if (!strokes.length && !base) return null;
    if (!strokes.length && !fitting.checked) return base;
    const large = fine();
    return fitting.checked ? engine.fitted(large) : engine.shrunk(large);
  }

  function paint(target, x) {
    const data = new ImageData(x.width, x.height);
    x.values.forEach((value, i) => { data.data.fill(255 * value, 4 * i, 4 * i + 3); data.data[4 * i + 3] = 255; });
    target.width = x.width;
    target.height = x.height;
    target.getContext("2d").putImageData(data, 0, 0);
  }

  function show() {
    paint(canvas, fine());
    if (byKeys) {
      const context = canvas.getContext("2d");
      context.strokeStyle = current ? "#ff9d3b" : "#3f90da";
      context.strokeRect(cursor[0] * FINE - 2, cursor[1] * FINE - 2, 4, 4);
    }
    const x = picture();
    paint(seen, x || engine.maps(28, 28, 1));
    seen.setAttribute("aria-label", x ? "What the network is given, 28 by 28 pixels" : "Nothing is drawn yet");
    undo.disabled = !past.length;
    clear.disabled = !strokes.length && !base;
    return x;
  }

  function update() {
    damaged.textContent = "";
    changed(show(), text());
  }

  // ---- Pointer and keys ----------------------------------------------------------------------------------------------------------
  function place(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    return [quantised((event.clientX - left) / width), quantised((event.clientY - top) / height)];
  }

  function extend(point, least = NEAR) {
    const [x, y] = current[current.length - 1];
    if (Math.hypot(point[0] - x, point[1] - y) >= least) current.push(point);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0 || !event.isPrimary) return; // a second finger draws nothing
    event.preventDefault();
    canvas.focus({ preventScroll: true });
    byKeys = false; // whatever had the focus before
    canvas.setPointerCapture(event.pointerId);
    pointer = event.pointerId;
    putDown(place(event));
    update();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!current || event.pointerId !== pointer) return;
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    for (const one of events.length ? events : [event]) extend(place(one));
    update();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => { if (event.pointerId === pointer) lift(); });
  }

  function move([across, down]) {
    cursor = [quantised(cursor[0] + across / 28), quantised(cursor[1] + down / 28)];
    if (current && pointer === null) extend(cursor, 0);
    update();
  }

  function changePen() {
    const down = !current;
    lift();
    if (down) putDown(cursor);
    update();
  }

  const KEYS = {
    ArrowLeft: () => move([-1, 0]), ArrowRight: () => move([1, 0]), ArrowUp: () => move([0, -1]), ArrowDown: () => move([0, 1]),
    " ": changePen, Backspace: bringBack, Delete: () => startFrom(""), z: (event) => { if (event.ctrlKey || event.metaKey) bringBack(); },
  };
  canvas.addEventListener("keydown", (event) => {
    if (!Object.hasOwn(KEYS, event.key)) return;
    byKeys = true;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has other plans for some of these
    KEYS[event.key](event);
  });
  canvas.addEventListener("focus", () => { byKeys = canvas.matches(":focus-visible"); show(); });
  canvas.addEventListener("blur", () => { lift(); byKeys = false; show(); });

  // ---- As text: the digit below, "~", and for each stroke three letters a point, "." between strokes; "!" at the end: not fitted -------
  function text() {
    const one = ([x, y]) => {
      const number = Math.round(x * STEPS) * 512 + Math.round(y * STEPS);
      return LETTERS[number >> 12] + LETTERS[(number >> 6) & 63] + LETTERS[number & 63];
    };
    const lines = strokes.map((stroke) => stroke.map(one).join("")).join(".");
    if (!lines && !baseName) return "";
    return `${baseName ? `${baseName}~` : ""}${lines}${fitting.checked ? "" : "!"}`;
  }

  function setText(words) {
    const [whole, name, lines, end] = /^(?:([0-9])~)?((?:[A-Za-z0-9_-]{3}|\.)*)(!?)$/.exec(words) || [];
    lift();
    strokes = (lines || "").split(".").map((line) => (line.match(/.{3}/g) || []).map((letters) => {
      const number = [...letters].reduce((sum, letter) => sum * 64 + LETTERS.indexOf(letter), 0);
      return [(number >> 9) / STEPS, (number & 511) / STEPS];
    })).filter((stroke) => stroke.length);
    past = strokes.map((_, i) => ({ strokes: strokes.slice(0, i), base: null, baseName: name || "", example: false })); // undone one by one
    fitting.checked = end === undefined ? lastFit : !end;
    setBase(name || "");
    update();
    if (whole === undefined) damaged.textContent = "The drawing in the link is damaged, and was left out.";
  }

  const node = element("div", { className: "convae-pad" },
    canvas,
    element("div", { className: "convae-pad-side" },
      element("div", {}, undo, " ", clear),
      element("label", {}, "begin with ", begin),
      element("label", {}, fitting, " fit it as MNIST was made"),
      element("div", {}, seen, element("span", { textContent: "what goes in" })),
      damaged));
  show();
  if (drawing) queueMicrotask(() => setText(drawing)); // when its owner is ready to hear of it

  return { node, text, setText };
}
