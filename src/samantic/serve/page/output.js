// What leaves the page: files, and lines for a shell and for Python.
import { hasToken } from "./api.js";
import { canvasOf, drawLabels } from "./paint.js";
import { curlLines, pythonLines } from "./snippets.js";
import { $, look, make, present, say, state } from "./state.js";

export function bindOutput() {
  for (const button of document.querySelectorAll("[data-save]")) {
    button.addEventListener("click", () => save(button.dataset.save));
  }
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", () => copy($(button.dataset.copy), button));
  }
}

/** A file's name without its ending and without what a path could be. */
const stemOf = (name) => name.replace(/\.[^.]*$/, "").replace(/[^\w.\-]+/g, "_") || "picture";

/** Save what the first model made: its overlay as it is on the screen, else as the server gave it. */
async function save(kind) {
  const [result] = state.results;
  const stem = stemOf(state.scene ?? Object.values(state.files)[0].name);
  const name = `${stem}-${result.name.replace(/[^\w.\-]+/g, "_")}`;
  if (kind === "json") {
    const { images, ...answer } = result.answer;
    download(new Blob([JSON.stringify(answer, null, 1)], { type: "application/json" }), `${name}.json`);
  } else {
    download(kind === "overlay" ? await overlayOf(result) : result.files[kind], `${name}-${kind}.png`);
  }
}

function overlayOf(result) {
  const canvas = canvasOf(result.labels.width, result.labels.height);
  drawLabels(canvas.getContext("2d"), result.layers, result.pictures, look);
  return new Promise((resolve) => canvas.toBlob(resolve));
}

function download(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say(`Saved ${name}.`);
}

async function copy(place, button) {
  try {
    await navigator.clipboard.writeText(place.textContent);
  } catch {
    getSelection().selectAllChildren(place); // over plain HTTP a page may use this way alone
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  say("Copied.");
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

/** Lines that make what is on the screen. */
export function writeLines() {
  const { files, scene, missing, hidden, results } = state;
  const cameras = present().filter((camera) => camera !== missing);
  const nameOf = (camera) => (files.rgbt ? `${stemOf(files.rgbt.name)}-${camera}.png` : files[camera].name);
  const asked = {
    cameras: Object.fromEntries(cameras.map((camera) => [camera, nameOf(camera)])),
    rgbt: files.rgbt?.name ?? null,
    scene,
    base: new URL(".", location.href).href,
    token: hasToken(),
  };
  const shown = ({ id, name }) => id !== 0 && !hidden.has(name);
  const calls = results.map(({ name, model }) => {
    const only = model.classes.filter(shown).map((one) => one.name);
    return { name, cameras: model.cameras, only: only.length === model.classes.length - 1 ? null : only };
  });
  $("curl").textContent = curlLines(asked, calls, look);
  $("python").textContent = pythonLines(asked, calls, look);
}
