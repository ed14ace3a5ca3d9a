// The bar above the pictures, the choice of models, and the buttons of the classes.
import { setSwitches } from "./legend.js";
import { VIEWS } from "./stage.js";
import { $, look, make, state } from "./state.js";

export function bindControls({ run, draw, repaint }) {
  for (const side of ["left", "right"]) {
    for (const [value, title] of Object.entries(VIEWS)) {
      const radio = make("input", { type: "radio", name: side, value });
      radio.addEventListener("change", () => {
        look[side] = value;
        draw();
      });
      $(side).append(make("label", {}, radio, title));
    }
  }
  $("opacity").addEventListener("input", () => {
    look.opacity = Number($("opacity").value) / 100;
    $("percent").textContent = `${$("opacity").value} %`;
    draw();
  });
  $("outlines").addEventListener("change", () => {
    look.outlines = $("outlines").checked;
    $("opacity").disabled = look.outlines;
    draw();
  });
  $("ground").addEventListener("change", () => {
    look.ground = $("ground").value;
    draw();
  });
  $("all").addEventListener("click", () => {
    state.hidden.clear();
    setSwitches($("legend"), state.hidden);
    repaint();
  });
  $("none").addEventListener("click", () => {
    for (const { model } of state.results) for (const { name } of model.classes) state.hidden.add(name);
    setSwitches($("legend"), state.hidden);
    repaint();
  });
  for (const select of [$("model"), $("other")]) {
    select.addEventListener("change", () => {
      offerOthers();
      if (state.files) run();
    });
  }
}

/** Models to compare with: all but the one that is chosen. */
export function offerOthers() {
  const { value } = $("other");
  const names = state.models.map(({ name }) => name).filter((name) => name !== $("model").value);
  $("other").replaceChildren(new Option("nothing", ""), ...names.map((name) => new Option(name, name)));
  $("other").value = names.includes(value) ? value : "";
  $("compare").hidden = names.length === 0;
}

/** Views and grounds that the pictures allow. */
export function offerViews() {
  const { rgb, thermal } = state.pictures;
  const there = { rgb, thermal, labels: true, confidence: true };
  for (const side of ["left", "right"]) {
    if (!there[look[side]]) look[side] = rgb ? "rgb" : "thermal";
    for (const radio of $(side).querySelectorAll("input")) {
      radio.disabled = !there[radio.value];
      radio.checked = radio.value === look[side];
    }
  }
  const grounds = { auto: true, rgb, thermal, blend: rgb && thermal };
  for (const option of $("ground").options) option.disabled = !grounds[option.value];
  if (!grounds[look.ground]) look.ground = $("ground").value = "auto";
}
