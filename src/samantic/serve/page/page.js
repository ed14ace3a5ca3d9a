// The page: what is asked, what came back, and the controls between them.
import * as api from "./api.js";
import { assign, FileProblem, oneCamera } from "./files.js";
import { agreement, fillLegend, swatch } from "./legend.js";
import { canvasOf, drawLabels } from "./paint.js";
import { decodeAnswer, paintResult, saveAs, stemOf } from "./results.js";
import { curlLines, pythonLines } from "./snippets.js";
import { Stage, VIEWS } from "./stage.js";

const $ = (id) => document.getElementById(id);
const TITLES = { rgb: "RGB", thermal: "Thermal", rgbt: "RGB + thermal" };

const state = {
  models: [],
  files: null, // by camera
  scene: null, // the name of the scene that the files are
  missing: null, // the camera that is left out
  results: [],
  stages: [],
  hidden: new Set(),
  split: 50,
  running: null,
};
const look = { left: "rgb", right: "labels", opacity: 0.55, outlines: false, ground: "auto" };

// ---- messages ---------------------------------------------------------------------------------

function say(text) {
  $("status").textContent = text;
}

function complain(error) {
  if (error?.name === "AbortError") return;
  $("error").textContent = error ? error.message : "";
  $("error").hidden = !error;
  if (!error) return;
  say("");
  const known = error instanceof api.ServerError || error instanceof FileProblem;
  if (!known) console.error(error);
}

// ---- asking -----------------------------------------------------------------------------------

const modelOf = (name) => state.models.find((model) => model.name === name);
const chosen = () => [$("model").value, $("other").value].filter(Boolean).map(modelOf);

/** The cameras of the files that are there. */
function present() {
  return state.files.rgbt ? ["rgb", "thermal"] : ["rgb", "thermal"].filter((one) => state.files[one]);
}

/** The files that a model is sent: of cameras that work and that it knows. */
async function filesFor(model) {
  const cameras = present().filter((one) => one !== state.missing && model.cameras.includes(one));
  if (cameras.length === 0) {
    throw new FileProblem(`${model.name} reads ${model.cameras.join(" and ")} alone; give it such a picture`);
  }
  const { rgbt } = state.files;
  if (!rgbt) return Object.fromEntries(cameras.map((one) => [one, state.files[one]]));
  return cameras.length === 2 ? { rgbt } : { [cameras[0]]: await oneCamera(rgbt, cameras[0]) };
}

async function run() {
  state.running?.abort();
  const { signal } = (state.running = new AbortController());
  complain(null);
  document.body.setAttribute("aria-busy", "true");
  say("Looking at the pictures …");
  const waiting = (seconds) => say(`The server is busy; asking again in ${seconds} s …`);
  try {
    const results = await Promise.all(chosen().map(async (model) => {
      const answer = await api.predict(await filesFor(model), model.name, signal, waiting);
      return { name: model.name, model, ...(await decodeAnswer(answer)) };
    }));
    signal.throwIfAborted();
    showResults(results);
  } catch (error) {
    if (state.running.signal === signal) complain(error);
  } finally {
    if (state.running.signal === signal) document.body.setAttribute("aria-busy", "false");
  }
}

function take(files, scene = null) {
  Object.assign(state, { files, scene, missing: null });
  state.pictures = {};
  return run();
}

async function takeFiles(list, camera = null) {
  if (list.length === 0) return;
  try {
    if (!camera) await take(await assign(list));
    else await take({ ...(state.files.rgbt ? {} : state.files), [camera]: list[0] });
  } catch (error) {
    complain(error);
  }
}

// ---- showing ----------------------------------------------------------------------------------

function showResults(results) {
  const first = $("result").hidden;
  for (const camera of ["rgb", "thermal"]) {
    for (const { pictures } of results) state.pictures[camera] ??= pictures[camera];
  }
  for (const one of results) one.pictures = { ...state.pictures, ...one.pictures };
  const fresh = state.results.map((one) => one.name).join() !== results.map((one) => one.name).join();
  state.results = results;
  if (fresh) buildStages();
  $("result").hidden = false;
  document.body.classList.add("answered");
  fixViews();
  showInput();
  const notes = new Set(results.flatMap((one) => one.answer.notes));
  $("notes").replaceChildren(...[...notes].map((text) => {
    const item = document.createElement("li");
    item.textContent = text;
    return item;
  }));
  repaint();
  const seen = results[0].answer.classes.filter(({ id }) => id !== 0).map(({ name }) => name);
  say(`${results.map((one) => `${one.name}: ${one.answer.seconds.toFixed(2)} s`).join(", ")}. ${
    seen.length ? `Found: ${seen.join(", ")}.` : "No class found but the clear one."}`);
  if (first || $("result").getBoundingClientRect().bottom < 0) scrollTo({ top: 0 });
}

function buildStages() {
  state.stages = state.results.map((one) => new Stage(one.name, tell, swipe));
  $("stages").replaceChildren(...state.stages.map((stage) => stage.figure));
  $("stages").classList.toggle("two", state.stages.length === 2);
  swipe(state.split);
}

function swipe(percent) {
  state.split = percent;
  for (const stage of state.stages) stage.split(percent);
}

/** Views and grounds that the pictures allow. */
function fixViews() {
  const there = { labels: true, confidence: true, ...state.pictures };
  for (const side of ["left", "right"]) {
    if (!there[look[side]]) look[side] = there.rgb ? "rgb" : "thermal";
    for (const radio of $(side).querySelectorAll("input")) {
      radio.disabled = !there[radio.value];
      radio.checked = radio.value === look[side];
    }
  }
  const grounds = { auto: true, rgb: there.rgb, thermal: there.thermal, blend: there.rgb && there.thermal };
  for (const option of $("ground").options) option.disabled = !grounds[option.value];
  if (!grounds[look.ground]) look.ground = $("ground").value = "auto";
}

function repaint() {
  for (const one of state.results) paintResult(one, state.hidden);
  fillLegend($("legend"), state.results, state.hidden, repaint);
  const share = state.results.length === 2 ? agreement(state.results) : null;
  $("agreement").hidden = share === null;
  if (share !== null) $("agreement").textContent = `They agree on ${(100 * share).toFixed(1)} % of the pixels.`;
  draw();
}

function draw() {
  state.results.forEach((one, i) => {
    const { size: [height, width], seconds } = one.answer;
    const facts = document.createElement("span");
    facts.textContent = `${width} × ${height}, ${seconds.toFixed(2)} s`;
    state.stages[i].show(one, look, [one.name, facts]);
  });
  writeLines();
}

/** Say what stands at a pixel: beside it, beneath the pictures and, for keys, aloud. */
function tell(place) {
  if (!place) {
    for (const stage of state.stages) stage.mark(null);
    return;
  }
  const { width, height } = state.results[0].labels;
  const parts = [`x ${place.x}, y ${place.y}`];
  $("readout").replaceChildren(parts[0]);
  state.results.forEach((one, i) => {
    const x = Math.floor((place.x * one.labels.width) / width);
    const y = Math.floor((place.y * one.labels.height) / height);
    const at = y * one.labels.width + x;
    const found = one.model.classes.find(({ id }) => id === one.labels.data[at]);
    const name = found?.name ?? "unknown";
    const text = `${name} ${Math.round((100 * one.confidence.data[at]) / 255)} %`;
    const full = state.results.length > 1 ? `${one.name}: ${text}` : text;
    const item = document.createElement("span");
    item.append(swatch(found?.color, !found?.id), full);
    $("readout").append(item);
    parts.push(full);
    state.stages[i].mark({ ...place, x, y }, text, found?.id ? found.color : "#808080");
  });
  if (place.spoken) $("spoken").textContent = parts.join(", ");
}

// ---- input ------------------------------------------------------------------------------------

function showInput() {
  const { files } = state;
  const kinds = files.rgbt ? ["rgbt"] : ["rgb", "thermal"];
  $("inputs").replaceChildren(...kinds.flatMap((kind) => {
    const [title, name] = [document.createElement("dt"), document.createElement("dd")];
    title.textContent = TITLES[kind];
    if (files[kind]) name.textContent = files[kind].name;
    else name.append(adder(kind));
    return [title, name];
  }));
  const single = Object.keys(files).length === 1;
  $("role").hidden = !single || state.scene !== null;
  $("role").querySelector("select").value = Object.keys(files)[0];
  $("swap").hidden = single;
  const needed = new Set(chosen().flatMap((model) => model.cameras));
  for (const camera of ["rgb", "thermal"]) {
    const box = $(`use-${camera}`);
    const used = present().filter((one) => needed.has(one));
    box.checked = used.includes(camera) && state.missing !== camera;
    box.disabled = !used.includes(camera) || used.length === 1 || (state.missing ?? camera) !== camera;
  }
}

/** A button that adds the camera that is not there. */
function adder(camera) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet" });
  button.textContent = `Add a ${camera === "rgb" ? "RGB" : camera} picture`;
  button.addEventListener("click", () => choose(camera));
  return button;
}

let wanted = null; // the camera whose file is being chosen
function choose(camera = null) {
  wanted = camera;
  $("files").click();
}

function bindInput() {
  $("files").addEventListener("change", async () => {
    const list = [...$("files").files];
    $("files").value = "";
    const camera = wanted;
    wanted = null;
    await takeFiles(list, camera);
  });
  $("files").addEventListener("cancel", () => (wanted = null));
  $("open").addEventListener("click", () => choose());
  $("swap").addEventListener("click", () => {
    const { rgb, thermal } = state.files;
    take({ rgb: thermal, thermal: rgb });
  });
  $("role").querySelector("select").addEventListener("change", (event) => {
    take({ [event.target.value]: Object.values(state.files)[0] });
  });
  for (const camera of ["rgb", "thermal"]) {
    $(`use-${camera}`).addEventListener("change", (event) => {
      state.missing = event.target.checked ? null : camera;
      run();
    });
  }
  bindDrop();
}

function bindDrop() {
  let depth = 0; // dragenter and dragleave come from every element on the way
  const mark = () => document.body.classList.toggle("dropping", depth > 0);
  addEventListener("dragenter", () => mark(depth++));
  addEventListener("dragleave", () => mark(depth--));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    mark((depth = 0));
    takeFiles([...event.dataTransfer.files]);
  });
  addEventListener("paste", (event) => takeFiles([...event.clipboardData.files]));
}

// ---- controls ---------------------------------------------------------------------------------

function bindViews() {
  for (const side of ["left", "right"]) {
    for (const [value, title] of Object.entries(VIEWS)) {
      const label = document.createElement("label");
      const radio = Object.assign(document.createElement("input"), { type: "radio", name: side, value });
      radio.addEventListener("change", () => {
        look[side] = value;
        draw();
      });
      label.append(radio, title);
      $(side).append(label);
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
    repaint();
  });
  $("none").addEventListener("click", () => {
    for (const { answer } of state.results) for (const { name } of answer.classes) state.hidden.add(name);
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
function offerOthers() {
  const { value } = $("other");
  const names = state.models.map(({ name }) => name).filter((name) => name !== $("model").value);
  $("other").replaceChildren(new Option("nothing", ""), ...names.map((name) => new Option(name, name)));
  $("other").value = names.includes(value) ? value : "";
  $("compare").hidden = names.length === 0;
}

// ---- what leaves the page ---------------------------------------------------------------------

function bindDownloads() {
  $("downloads").addEventListener("click", async (event) => {
    const { kind } = event.target.dataset;
    if (!kind) return;
    const [result] = state.results;
    const stem = stemOf(state.scene ?? Object.values(state.files)[0].name);
    if (kind === "json") {
      const { images, ...answer } = result.answer;
      saveAs(new Blob([JSON.stringify(answer, null, 1)], { type: "application/json" }), `${stem}.json`);
    } else if (kind === "overlay") {
      const canvas = canvasOf(result.labels.width, result.labels.height);
      drawLabels(canvas.getContext("2d"), result.layers, result.pictures, look);
      canvas.toBlob((blob) => saveAs(blob, `${stem}-overlay.png`));
    } else {
      saveAs(result.files[kind], `${stem}-${kind}.png`);
    }
    say(`Saved the ${kind} of ${result.name}.`);
  });
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.addEventListener("click", () => copy($(button.dataset.copy), button));
  }
}

async function copy(place, button) {
  try {
    await navigator.clipboard.writeText(place.textContent);
  } catch {
    getSelection().selectAllChildren(place); // no clipboard without HTTPS, but from this machine
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  say("Copied.");
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

function writeLines() {
  const stem = state.files.rgbt && stemOf(state.files.rgbt.name);
  const cameras = present().filter((one) => one !== state.missing);
  const names = cameras.map((one) => [one, stem ? `${stem}-${one}.png` : state.files[one].name]);
  const asked = {
    cameras: Object.fromEntries(names),
    rgbt: state.files.rgbt?.name ?? null,
    scene: state.scene,
    base: new URL(".", location.href).href,
    token: api.hasToken(),
  };
  const models = state.results.map((one) => one.name);
  const { classes } = state.results[0].answer;
  const seen = classes.filter(({ id, name }) => id !== 0 && !state.hidden.has(name));
  const all = classes.every(({ id, name }) => id === 0 || !state.hidden.has(name));
  $("curl").textContent = curlLines(asked, models, look);
  $("python").textContent = pythonLines(asked, models, look, all ? null : seen.map(({ name }) => name));
}

// ---- scenes -----------------------------------------------------------------------------------

async function showScenes() {
  const list = await api.scenes();
  $("examples").hidden = list.length === 0;
  $("scenes").replaceChildren(...list.map(sceneItem));
}

function sceneItem({ name, title }) {
  const [item, button] = [document.createElement("li"), document.createElement("button")];
  const pictures = document.createElement("span");
  pictures.className = "pictures";
  button.type = "button";
  const files = Promise.all(["rgb", "thermal"].map((camera) => api.sceneFile(name, camera)));
  files.then((both) => {
    for (const file of both) {
      const image = Object.assign(new Image(), { alt: "", src: URL.createObjectURL(file) });
      pictures.append(image);
    }
  }).catch(complain);
  button.append(pictures, title);
  button.addEventListener("click", async () => {
    try {
      const [rgb, thermal] = await files;
      await take({ rgb, thermal }, name);
    } catch (error) {
      complain(error);
    }
  });
  item.append(button);
  return item;
}

async function begin() {
  bindInput();
  bindViews();
  bindDownloads();
  try {
    const found = await api.models();
    state.models = found.models;
    $("model").replaceChildren(...found.models.map(({ name }) => new Option(name, name)));
    $("model").value = found.default;
    $("model").disabled = false;
    offerOthers();
    await showScenes();
  } catch (error) {
    complain(error);
  }
}

begin();
