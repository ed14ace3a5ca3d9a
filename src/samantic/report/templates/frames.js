"use strict";
// The controls above the frames: which picture of each, which frames, and in which order.
{
  const gallery = document.getElementById("gallery");
  const form = gallery.querySelector("form");
  const list = gallery.querySelector(".frames");
  const status = gallery.querySelector(".status");
  const frames = [...list.children]; // as they come: by name

  function layer(value) {
    gallery.classList.toggle("single", value !== "");
    for (const frame of frames) {
      const pictures = frame.querySelector(".pictures").children;
      [...pictures].forEach((picture, index) => {
        picture.hidden = value !== "" && index !== Number(value);
      });
    }
  }

  function filter(label, subset) {
    for (const frame of frames) {
      const has = !label || frame.dataset.classes.split(" ").includes(label);
      frame.hidden = !has || (subset && frame.dataset.subset !== subset);
    }
    const shown = frames.filter((frame) => !frame.hidden).length;
    status.textContent = `${shown} of ${frames.length} frame${frames.length === 1 ? "" : "s"}`;
  }

  function order(sign) {
    const score = (frame) => Number(frame.dataset.score) * sign;
    list.append(...(sign ? [...frames].sort((a, b) => score(a) - score(b)) : frames));
  }

  function apply() {
    const chosen = new FormData(form);
    layer(chosen.get("layer"));
    filter(chosen.get("class"), chosen.get("subset"));
    order(Number(chosen.get("order")));
  }

  form.addEventListener("change", apply);
  form.hidden = false;
  apply(); // a browser keeps what was chosen when a page is loaded anew
}
