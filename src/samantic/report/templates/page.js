"use strict";
// Every page: a hint where something is wider than the window, and pictures to be enlarged.
{
  const hint = (region) => {
    const wide = region.scrollWidth > region.clientWidth + 1;
    region.toggleAttribute("tabindex", wide);
    if (wide) region.tabIndex = 0; // only what can be scrolled is worth a stop of the Tab key
    const before = region.previousElementSibling;
    const there = before && before.classList.contains("hint");
    if (wide && !there) {
      const text = document.createElement("p");
      text.className = "hint";
      text.textContent = "Scroll sideways for more \u2192";
      region.before(text);
    } else if (!wide && there) {
      before.remove();
    }
  };
  const watch = new ResizeObserver((entries) => entries.forEach((entry) => hint(entry.target)));
  document.querySelectorAll(".scroll").forEach((region) => watch.observe(region));
}
{
  const images = [...document.querySelectorAll(".pictures img")];
  const dialog = document.createElement("dialog");
  const bar = document.createElement("div");
  const caption = document.createElement("p");
  const large = document.createElement("img");
  let shown = null;

  function show(image) {
    shown = image;
    large.src = image.src;
    large.alt = caption.textContent = image.alt;
  }

  // the pictures of the same frame, or the same picture of the frames that are not filtered out
  const inFrame = () => [...shown.closest(".pictures").querySelectorAll(".enlarge img")];
  function acrossFrames() {
    const place = inFrame().indexOf(shown);
    const frames = [...document.querySelectorAll("figure:not([hidden]) .pictures")];
    return frames.map((frame) => frame.querySelectorAll(".enlarge img")[place]).filter(Boolean);
  }
  function move(list, step) {
    show(list[(list.indexOf(shown) + step + list.length) % list.length]);
  }
  const moves = {
    ArrowLeft: ["\u2190", "Previous picture of the frame", () => move(inFrame(), -1)],
    ArrowRight: ["\u2192", "Next picture of the frame", () => move(inFrame(), 1)],
    ArrowUp: ["\u2191", "Same picture of the previous frame", () => move(acrossFrames(), -1)],
    ArrowDown: ["\u2193", "Same picture of the next frame", () => move(acrossFrames(), 1)],
    Escape: ["\u2715", "Close", () => dialog.close()],
  };
  const button = (text, label, action) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", action);
    return made;
  };

  if (images.length) {
    dialog.className = "zoom";
    dialog.setAttribute("aria-label", "Enlarged picture");
    caption.setAttribute("aria-live", "polite");
    bar.append(caption, ...Object.values(moves).map((move) => button(...move)));
    dialog.append(bar, large);
    dialog.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" && moves[event.key]) {
        event.preventDefault();
        moves[event.key][2]();
      }
    });
    dialog.addEventListener("close", () => shown.parentElement.focus());
    document.body.append(dialog);
  }
  for (const image of images) {
    const opens = button("", `Enlarge ${image.alt}`, () => {
      show(image);
      dialog.showModal();
    });
    opens.className = "enlarge";
    image.replaceWith(opens);
    opens.append(image);
  }
}
// Two pictures of one place over one another: a slider moves the border, a button lets them blink.
for (const figure of document.querySelectorAll("figure.compared")) {
  const [below, above] = figure.querySelectorAll(".pictures img");
  const box = document.createElement("div");
  const stack = document.createElement("div");
  const slider = document.createElement("input");
  const blink = document.createElement("button");
  const top = above.cloneNode();
  let timer = 0;

  box.className = "compare";
  stack.className = "stack";
  stack.append(below.cloneNode(), top);
  slider.type = "range";
  slider.setAttribute("aria-label", `Border between ${below.alt} and ${above.alt}`);
  const cut = () => {
    top.style.clipPath = `inset(0 0 0 ${slider.value}%)`;
  };
  slider.addEventListener("input", cut);
  blink.type = "button";
  blink.textContent = "blink";
  blink.setAttribute("aria-pressed", "false");
  blink.addEventListener("click", () => {
    const starts = !timer;
    blink.setAttribute("aria-pressed", String(starts));
    clearInterval(timer);
    top.style.visibility = "";
    timer = starts ? setInterval(() => {
      top.style.visibility = top.style.visibility ? "" : "hidden";
    }, 600) : 0;
    if (starts) top.style.clipPath = "";
    else cut();
  });
  cut();
  box.append(stack, "RGB left, thermal right", slider, blink);
  figure.querySelector(".pictures").append(box);
}
