// What the live parts of a page share: networks and digits that come when they are asked for, work that never blocks the page, controls,
// rows of pictures, and a state that stands in the page's address.

globalThis.convae = (() => {
  "use strict";
  const engine = convaeEngine(), script = document.currentScript, folder = script && script.src ? new URL(".", script.src).href : "";
  const convae = { engine, networks: {}, digits: null, parts: {} };

  // ---- Files: scripts, which a page opened from a disk may load as well, each once ------------------------------------------------
  const scripts = new Map();

  function loadScript(file) {
    if (!scripts.has(file)) {
      scripts.set(file, new Promise((resolve, reject) => {
        const element = Object.assign(document.createElement("script"), { src: folder + file, onload: resolve });
        element.onerror = () => {
          scripts.delete(file);
          element.remove();
          reject(new Error(`${file} could not be loaded. ${location.protocol === "file:" ? "Is it beside the page?" : "Is there a connection? To try again, move a control."}`));
        };
        document.head.append(element);
      }));
    }
    return scripts.get(file);
  }

  convae.load = async (name) => {
    await loadScript(`networks/${name.replace("/", "-")}.js`);
    return convae.networks[name];
  };

  // Test digits, ten of each class, as pictures.
  convae.loadDigits = async () => {
    await loadScript("digits.js");
    const bytes = Uint8Array.from(atob(convae.digits), (letter) => letter.charCodeAt(0));
    return Array.from({ length: 100 }, (_, i) => engine.maps(28, 28, 1, Float32Array.from(bytes.subarray(784 * i, 784 * (i + 1)), (value) => value / 255)));
  };

  // ---- Work: in as many workers as there are cores, up to four; where a page may have none, in the page --------------------------
  function inWorker(source) {
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" })), worker = new Worker(url), waiting = new Map();
    let next = 0;
    const ask = (task, details) => new Promise((resolve, reject) => {
      waiting.set(next, { resolve, reject });
      worker.postMessage({ id: next++, task, details });
    });
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data: { ready, id, value, error } }) => {
        if (ready) return resolve(ask);
        const { resolve: settle, reject: fail } = waiting.get(id);
        waiting.delete(id);
        return error ? fail(new Error(error)) : settle(value);
      };
      worker.onerror = (event) => { event.preventDefault(); reject(new Error("refused")); };
      setTimeout(() => reject(new Error("no answer")), 5000);
    });
  }

  const ANSWERING = `const tasks = convaeTasks(convaeEngine());
    onmessage = ({ data: { id, task, details } }) => {
      try { postMessage({ id, value: tasks[task](details) }); } catch (error) { postMessage({ id, error: String(error.message || error) }); }
    };
    postMessage({ ready: true });`;

  async function inPage() {
    const tasks = convaeTasks(engine);
    return (task, details) => new Promise((resolve, reject) => {
      setTimeout(() => { try { resolve(tasks[task](details)); } catch (error) { reject(error); } });
    });
  }

  async function makeLanes() {
    const source = `${convaeEngine}\n${convaeTasks}\n${ANSWERING}`, count = Math.min(4, Math.max(1, navigator.hardwareConcurrency || 2));
    let asks;
    try {
      asks = await Promise.all(Array.from({ length: count }, () => inWorker(source)));
    } catch { // refused by the page's rules, or unknown to the browser
      asks = [await inPage()];
    }
    return asks.map((ask) => ({ ask, kept: new Map() }));
  }

  let lanes = null, turn = 0;

  // Asks for a task with a network, which the worker keeps; `lane` may be said, so that parts of one task run side by side.
  convae.ask = async (task, details, lane = turn++) => {
    const all = await (lanes ||= makeLanes()), { ask, kept } = all[lane % all.length];
    if (details.name && !kept.has(details.name)) {
      kept.set(details.name, convae.load(details.name).then((file) => ask("keep", { name: details.name, file })));
      kept.get(details.name).catch(() => kept.delete(details.name));
    }
    await kept.get(details.name);
    return ask(task, details);
  };

  // The pictures of a task, shared out among the workers.
  convae.askForAll = async (task, details) => {
    const count = Math.min((await (lanes ||= makeLanes())).length, details.images.length);
    const size = Math.ceil(details.images.length / count), shares = [];
    for (let first = 0; first < details.images.length; first += size) {
      shares.push(convae.ask(task, { ...details, images: details.images.slice(first, first + size), first }, shares.length));
    }
    return (await Promise.all(shares)).flat();
  };

  // Runs `work` for the latest state only: one that comes while another is worked on waits, and takes the place of one that waits.
  // `say` is told what `work` gives, `waiting` if it takes long, or what went wrong: then the pictures in `node` are pale, for they are old.
  convae.latest = (node, say, work, waiting = "Loading …") => {
    let running = false, asked = 0;
    return async () => {
      asked += 1;
      if (running) return;
      running = true;
      for (let done = 0; done < asked; ) {
        done = asked;
        const slow = setTimeout(say, 700, waiting);
        let told = "", failed = false;
        try {
          told = await work(() => asked !== done) ?? "";
        } catch (error) {
          [told, failed] = [`Not drawn: ${error.message}`, true];
        }
        clearTimeout(slow);
        say(told);
        node.classList.toggle("convae-old", failed);
      }
      running = false;
    };
  };

  // ---- The page's address --------------------------------------------------------------------------------------------------------
  // The parts' state is a fragment such as #explorer.kind=blur&explorer.level=1.5, and a copied link says where to go as well: at=explorer.
  // A fragment without "=" is a heading's. The address is written when the controls rest: browsers take milliseconds for it, and refuse
  // to do it hundreds of times.
  const state = new Map(new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "")), at = state.get("at");
  state.delete("at");
  let resting = 0;

  const fragment = (entries) => `#${new URLSearchParams([...entries])}`;

  // Marks the present entry of the history as this page's own.
  const mark = (address) => history.replaceState({ ...history.state, convae: true }, "", address);

  function write() {
    try {
      mark(fragment(state));
    } catch { // where a page from a disk may not
      location.replace(fragment(state));
    }
  }

  try {
    mark(location.href);
  } catch { /* the same */ }

  // Another link, put into the address of a page that is open, opens it anew. Whoever comes back to the page's own entry keeps what there is.
  addEventListener("hashchange", () => {
    if (!location.hash.includes("=") || location.hash === fragment(state)) return;
    if (history.state?.convae) write();
    else location.reload();
  });

  // What is set, as a fragment, for the same page in another language; the address may hold a heading's instead.
  convae.fragment = () => (state.size ? fragment(state) : "");

  convae.addressOf = (part) => ({
    get: (key, otherwise) => state.get(`${part}.${key}`) ?? otherwise,
    number(key, otherwise, low, high) {
      const value = Number.parseFloat(state.get(`${part}.${key}`) ?? "");
      return Number.isFinite(value) ? Math.min(Math.max(value, low), high) : otherwise;
    },
    set(values) {
      for (const [key, value] of Object.entries(values)) {
        if (value === null || value === "") state.delete(`${part}.${key}`);
        else state.set(`${part}.${key}`, `${value}`);
      }
      clearTimeout(resting);
      resting = setTimeout(write, 150);
    },
    link: () => location.href.split("#")[0] + fragment([["at", part], ...[...state].filter(([key]) => key.startsWith(`${part}.`))]),
  });

  // ---- Elements ------------------------------------------------------------------------------------------------------------------
  function make(tag, properties = {}, ...children) {
    const element = document.createElement(tag);
    for (const [key, value] of Object.entries(properties)) {
      if (key === "class") element.className = value;
      else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (key in element) element[key] = value;
      else element.setAttribute(key, value);
    }
    element.append(...children);
    return element;
  }

  convae.make = make;

  convae.choice = (label, options, value, changed) => {
    const select = make("select", { onchange: () => changed(select.value) },
      ...options.map((option) => make("option", { value: option, selected: option === value }, option)));
    return make("label", { class: "convae-control" }, `${label} `, select);
  };

  convae.slider = (label, { min, max, step, value, told = (number) => String(+number.toFixed(3)) }, changed) => {
    const output = make("output"), words = make("span", {}, `${label} `);
    const input = make("input", { type: "range", min, max, step, value, oninput: () => { tell(); changed(+input.value); } });
    const tell = () => { output.textContent = told(+input.value); input.setAttribute("aria-valuetext", output.textContent); };
    const set = (changes) => {
      const { label: name, ...rest } = changes;
      if (name) words.textContent = `${name} `;
      Object.assign(input, rest);
      tell();
    };
    tell();
    return Object.assign(make("label", { class: "convae-control convae-slider" }, words, input, output), { set });
  };

  convae.button = (label, pressed) => make("button", { type: "button", onclick: pressed }, label);

  convae.box = (label, value, changed) => {
    const input = make("input", { type: "checkbox", checked: value, onchange: () => changed(input.checked) });
    return Object.assign(make("label", { class: "convae-control" }, input, ` ${label}`), { set: (on) => { input.checked = on; } });
  };

  convae.controls = (...children) => make("div", { class: "convae-controls" }, ...children);

  // Copies an address that opens the page at this part, as it is; but for what `lacking` names, which no address holds.
  convae.link = (address, lacking = () => "") => {
    const button = convae.button("copy link", async () => {
      try {
        await navigator.clipboard.writeText(address.link());
        button.textContent = lacking() ? `copied, without ${lacking()}` : "copied";
      } catch { // not allowed, or a page from a disk: then it is shown, to be copied by hand
        prompt("The link to what you see:", address.link());
      }
      setTimeout(() => { button.textContent = "copy link"; }, 2000);
    });
    return button;
  };

  // ---- Pictures ------------------------------------------------------------------------------------------------------------------
  const RED_AND_BLUE = [[5, 48, 97], [33, 102, 172], [67, 147, 195], [146, 197, 222], [209, 229, 240], [247, 247, 247], [253, 219, 199],
    [244, 165, 130], [214, 96, 77], [178, 24, 43], [103, 0, 31]]; // from -1 to 1

  function paint(pixels, x, column, wide, { signed, low, high }) {
    for (let i = 0; i < x.height; i++) {
      for (let j = 0; j < x.width; j++) {
        const at = 4 * (i * wide + column + j), value = x.values[(i * x.width + j) * x.depth];
        if (signed) {
          const place = (Math.min(Math.max(value, -1), 1) + 1) * 5, stop = Math.min(Math.floor(place), 9);
          for (let c = 0; c < 3; c++) pixels[at + c] = RED_AND_BLUE[stop][c] + (place - stop) * (RED_AND_BLUE[stop + 1][c] - RED_AND_BLUE[stop][c]);
        } else {
          pixels.fill((255 * (value - low)) / (high - low), at, at + 3);
        }
        pixels[at + 3] = 255;
      }
    }
  }

  // Pictures side by side, of their own size, which the page enlarges. `signed` ones are red above and blue below zero.
  convae.strip = (label) => {
    const canvas = make("canvas", { width: 28, height: 28, role: "img", "aria-label": label });
    const show = (images, { signed = false, low = 0, high = 1, told = "" } = {}) => {
      const height = images[0].height, wide = images.reduce((sum, x) => sum + x.width, 0);
      const data = new ImageData(wide, height);
      images.reduce((column, x) => { paint(data.data, x, column, wide, { signed, low, high }); return column + x.width; }, 0);
      if (canvas.width !== wide || canvas.height !== height) Object.assign(canvas, { width: wide, height });
      canvas.style.setProperty("--pictures", images.length);
      canvas.getContext("2d").putImageData(data, 0, 0);
      canvas.setAttribute("aria-label", told ? `${label}: ${told}` : label);
    };
    return { node: canvas, show };
  };

  // A strip with its name and a note beside it.
  convae.row = (label) => {
    const strip = convae.strip(label), note = make("span"), head = make("div", { class: "convae-note" }, make("b", {}, label), make("br"), note);
    const show = (images, { note: text = "", ...options } = {}) => {
      note.textContent = text;
      strip.show(images, { told: text, ...options });
    };
    return { node: make("div", { class: "convae-row" }, head, strip.node), show };
  };

  // A sentence that a screen reader is told when it changes.
  convae.alert = () => {
    const node = make("p", { class: "convae-alert", role: "status", "aria-live": "polite" });
    return { node, say: (text) => { if (node.textContent !== text) node.textContent = text; } };
  };

  convae.difference = (x, y) => engine.maps(x.height, x.width, x.depth, x.values.map((value, i) => value - y.values[i]));
  convae.mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  convae.told = (scores) => {
    const [psnr, ssim] = ["psnr", "ssim"].map((key) => convae.mean(scores.map((score) => score[key])));
    return `PSNR ${psnr.toFixed(1)} dB, SSIM ${ssim.toFixed(2)}${psnr.toFixed(3) === engine.PSNR_OF_EQUALS.toFixed(3) ? ": no difference" : ""}`;
  };

  // Noise: kind, level and seed, with the address and each other in step.
  convae.noiseControls = (state, changed) => {
    const words = (kind) => kind.replace(/_/g, " "), named = (text) => text.replace(/ /g, "_");
    const level = convae.slider("", { min: 0, max: 1, step: 0.01, value: 0 }, (value) => { state.level = value; changed(); });
    const meaning = make("p", { class: "convae-meaning" });
    const follow = () => {
      const { low, high, unit, meaning: what } = engine.KINDS[state.kind];
      level.set({ label: `level (${unit})`, min: low, max: high, step: (high - low) / 100, value: state.level });
      meaning.textContent = `The level is the ${what}.`;
      for (const control of [seed, others]) control.disabled = Boolean(engine.KINDS[state.kind].certain);
    };
    const kind = convae.choice("noise", Object.keys(engine.KINDS).map(words), words(state.kind), (value) => {
      const { low, high } = engine.KINDS[state.kind], place = (state.level - low) / (high - low);
      state.kind = named(value);
      const { low: from, high: to } = engine.KINDS[state.kind];
      state.level = +(from + place * (to - from)).toFixed(3);
      follow();
      changed();
    });
    const seed = make("input", { type: "number", min: 0, max: 999999, value: state.seed, class: "convae-number", onchange: () => setSeed(+seed.value) });
    const setSeed = (value) => {
      state.seed = Math.min(Math.max(Math.round(value) || 0, 0), 999999);
      seed.value = state.seed;
      changed();
    };
    const others = convae.button("new noise", () => setSeed(state.seed + 1));
    follow();
    return { nodes: [kind, level, make("label", { class: "convae-control" }, "seed ", seed), others], meaning };
  };

  convae.noiseState = (address, kind, level) => {
    const asked = address.get("kind", kind), known = Object.hasOwn(engine.KINDS, asked) ? asked : kind, { low, high } = engine.KINDS[known];
    return { kind: known, level: address.number("level", level, low, high), seed: Math.round(address.number("seed", 0, 0, 999999)) };
  };

  // ---- Parts ---------------------------------------------------------------------------------------------------------------------
  // <div class="convae-live" data-part="NAME">: what stands in it is for pages without scripts, and gives place to the part.
  convae.start = () => {
    for (const slider of document.querySelectorAll(".convae-frames input")) slider.addEventListener("input", convae.showFrame);
    for (const element of document.querySelectorAll(".convae-live[data-part]")) {
      const part = convae.parts[element.dataset.part];
      if (!part) continue;
      element.replaceChildren();
      element.lang = "en"; // whatever the page's
      part(element);
      if (element.dataset.part !== at) continue;
      const section = element.closest("section") || element;
      section.scrollIntoView();
      element.addEventListener("convae-drawn", () => section.scrollIntoView(), { once: true }); // those above it have grown
    }
  };
  if (script) document.addEventListener("DOMContentLoaded", convae.start);

  return convae;
})();
