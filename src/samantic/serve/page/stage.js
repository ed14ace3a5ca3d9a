// One model's pictures under a swipe handle, and the reading of single pixels.
import { drawLabels } from "./paint.js";

export const VIEWS = { rgb: "RGB", thermal: "Thermal", labels: "Classes", confidence: "Confidence" };

function element(name, className, attributes = {}) {
  const made = document.createElement(name);
  made.className = className;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export class Stage {
  /** `told` is called with {x, y, size, spoken} for a pixel, or null when the pointer leaves. */
  constructor(name, told, swiped) {
    this.told = told;
    this.place = null;
    this.figure = element("figure", "stage");
    this.caption = element("figcaption", "");
    this.frame = element("div", "frame");
    this.left = element("canvas", "", { role: "img" });
    this.right = element("canvas", "", { role: "img" });
    this.above = element("div", "above");
    this.tags = ["left", "right"].map((side) => element("span", `tag ${side}`, { "aria-hidden": "true" }));
    this.probe = element("div", "probe", {
      tabindex: "0",
      role: "application",
      "aria-label": `Read pixels of ${name}: arrow keys move, with Shift by 10`,
      "aria-describedby": "readout",
    });
    this.cross = element("i", "cross");
    this.bubble = element("div", "bubble", { "aria-hidden": "true" });
    this.swipe = element("input", "swipe", {
      type: "range", min: "0", max: "100", step: "0.5", "aria-label": `Border between left and right, ${name}`,
    });
    this.above.append(this.left);
    this.frame.append(this.right, this.above, this.probe, ...this.tags, this.cross, this.bubble, this.swipe);
    this.figure.append(this.caption, this.frame);
    this.cross.hidden = this.bubble.hidden = true;
    this.swipe.addEventListener("input", () => swiped(Number(this.swipe.value)));
    for (const kind of ["pointermove", "pointerdown"]) {
      this.frame.addEventListener(kind, (event) => this.point(event));
    }
    this.frame.addEventListener("pointerleave", (event) => {
      if (event.pointerType === "mouse") this.told(null);
    });
    this.probe.addEventListener("keydown", (event) => this.step(event));
  }

  split(percent) {
    this.swipe.value = percent;
    this.swipe.setAttribute("aria-valuetext", `${Math.round(percent)} % left`);
    this.frame.style.setProperty("--split", `${percent}%`);
  }

  /** Pictures, labels and confidence of `result` as `look` says; `title` stands above. */
  show(result, look, title) {
    const { width, height } = result.labels;
    this.size = { width, height };
    this.caption.replaceChildren(...title);
    this.frame.style.setProperty("--aspect", width / height);
    [[this.left, look.left], [this.right, look.right]].forEach(([canvas, view], side) => {
      Object.assign(canvas, { width, height });
      canvas.setAttribute("aria-label", `${VIEWS[view]}, ${side ? "right" : "left"} of the border`);
      this.tags[side].textContent = view === "confidence" ? "Confidence, 0 to 100 %" : VIEWS[view];
      this.tags[side].classList.toggle("ramp", view === "confidence");
      const context = canvas.getContext("2d");
      if (view === "labels") drawLabels(context, result.layers, result.pictures, look);
      else context.drawImage(result.pictures[view] ?? result.pictures.ground, 0, 0, width, height);
    });
  }

  point(event) {
    const box = this.frame.getBoundingClientRect();
    this.told({
      x: this.within((event.clientX - box.left) / box.width, this.size.width),
      y: this.within((event.clientY - box.top) / box.height, this.size.height),
      size: this.size,
      spoken: false,
    });
  }

  within(share, length) {
    return Math.min(length - 1, Math.max(0, Math.floor(share * length)));
  }

  step(event) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
    if (dx === undefined) return;
    event.preventDefault();
    const { width, height } = this.size;
    const { x, y } = this.place ?? { x: width >> 1, y: height >> 1 };
    const far = event.shiftKey ? 10 : 1;
    const moved = (at, by, length) => Math.min(length - 1, Math.max(0, at + by * far));
    this.told({ x: moved(x, dx, width), y: moved(y, dy, height), size: this.size, spoken: true });
  }

  /** Mark a pixel; `text` and `colour` say what the model takes it for. Null removes the mark. */
  mark(place, text, colour) {
    this.place = place ?? this.place;
    this.cross.hidden = this.bubble.hidden = !place;
    if (!place) return;
    const [x, y] = [(place.x + 0.5) / this.size.width, (place.y + 0.5) / this.size.height];
    this.frame.style.setProperty("--x", `${100 * x}%`);
    this.frame.style.setProperty("--y", `${100 * y}%`);
    this.frame.style.setProperty("--colour", colour);
    this.bubble.classList.toggle("before", x > 0.6);
    this.bubble.classList.toggle("over", y > 0.8);
    this.bubble.textContent = text;
  }
}
