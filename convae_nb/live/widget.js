// The drawing pad as a widget of a notebook: the same pad as in the pages, whose picture goes to the kernel.

export default {
  render({ model, el }) {
    const bytes = new Uint8Array(model.get("digits").buffer);
    const digits = Array.from({ length: 10 }, (_, digit) => ({ height: 28, width: 28, depth: 1,
      values: Float32Array.from(bytes.subarray(784 * digit, 784 * (digit + 1)), (value) => value / 255) }));
    const pad = convaePad({
      drawing: model.get("drawing"),
      digits: () => Promise.resolve(digits.flatMap((digit) => new Array(10).fill(digit))),
      changed(picture, text) {
        model.set("drawing", text);
        model.set("pixels", new DataView(Uint8Array.from(picture ? picture.values : [], (value) => Math.round(255 * value)).buffer));
        model.save_changes();
      },
    });
    // JupyterLab would take some keys for its own shortcuts.
    el.dataset.lmSuppressShortcuts = "true";
    el.classList.add("convae-live");
    el.append(pad.node);
    const follow = () => { if (model.get("drawing") !== pad.text()) pad.setText(model.get("drawing")); };
    model.on("change:drawing", follow);
    return () => model.off("change:drawing", follow);
  },
};
