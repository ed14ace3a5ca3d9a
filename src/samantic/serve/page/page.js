// The page: asks the models, and shows what they answer.
import * as api from "./api.js";
import { bindControls, offerOthers, offerViews } from "./controls.js";
import { oneCamera } from "./files.js";
import { bindInput, showInput } from "./input.js";
import { agreement, fillLegend, swatch } from "./legend.js";
import { bindOutput, writeLines } from "./output.js";
import { decodeAnswer, paintResult } from "./results.js";
import { showScenes } from "./scenes.js";
import { Stage } from "./stage.js";
import { $, chosen, complain, look, make, present, Problem, say, state } from "./state.js";

const HINT = "Point at a pixel or tap it; by keys, go to the picture and use the arrows.";

let running = new AbortController();
let stages = [];

/** The files that a model is sent: of cameras that work and that it knows. */
async function filesFor(model) {
  const cameras = present().filter((one) => one !== state.missing && model.cameras.includes(one));
  if (cameras.length === 0) {
    throw new Problem(`${model.name} reads ${model.cameras.join(" and ")} alone; give it such a picture`);
  }
  const { rgbt } = state.files;
  if (!rgbt) return Object.fromEntries(cameras.map((one) => [one, state.files[one]]));
  return cameras.length === 2 ? { rgbt } : { [cameras[0]]: await oneCamera(rgbt, cameras[0]) };
}

async function resultOf(model, signal) {
  const waiting = (seconds) => say(`The server is busy; asking again in ${seconds} s …`);
  const answer = await api.predict(await filesFor(model), model.name, signal, waiting);
  return { name: model.name, model, ...(await decodeAnswer(answer)) };
}

/** Ask the chosen models about the files; a later call ends an earlier one. */
async function run() {
  running.abort();
  const { signal } = (running = new AbortController());
  complain(null);
  document.body.setAttribute("aria-busy", "true");
  say("Looking at the pictures …");
  try {
    const results = await Promise.all(chosen().map((model) => resultOf(model, signal)));
    if (!signal.aborted) showResults(results);
  } catch (error) {
    if (signal.aborted) return;
    running.abort(); // the other model need not answer any more
    showResults([]);
    complain(error);
  } finally {
    if (running.signal === signal) document.body.setAttribute("aria-busy", "false");
  }
}

/** New files: ask about them. */
function take(files, scene = null) {
  Object.assign(state, { files, scene, missing: null, pictures: {} });
  return run();
}

/** Show results, or, where there are none, the input alone so that it can be mended. */
function showResults(results) {
  tell(null);
  $("readout").textContent = HINT;
  const names = (list) => list.map((one) => one.name).join("\n");
  const others = names(results) !== names(state.results);
  const away = $("result").hidden || $("result").getBoundingClientRect().bottom < 0;
  state.results = results;
  $("result").hidden = false;
  $("result").classList.toggle("failed", results.length === 0);
  document.body.classList.add("answered");
  showInput();
  if (others) buildStages();
  if (away) scrollTo({ top: 0 });
  if (results.length === 0) return;
  sharePictures();
  offerViews();
  fillLegend($("legend"), results, state.hidden, repaint);
  const share = results.length === 2 ? agreement(results) : null;
  $("agreement").textContent = share === null ? "" : `They agree on ${(100 * share).toFixed(1)} % of the pixels.`;
  repaint();
  const found = results[0].answer.classes.filter(({ id }) => id !== 0).map(({ name }) => name);
  const times = results.map((one) => `${one.name} took ${one.answer.seconds.toFixed(2)} s`).join(", ");
  say(`${times}. ${found.length ? `Found: ${found.join(", ")}.` : "Nothing found but the clear class."}`);
}

/** What is shown of a camera that is left out now is what came back before. */
function sharePictures() {
  for (const camera of ["rgb", "thermal"]) {
    for (const { pictures } of state.results) state.pictures[camera] ??= pictures[camera];
  }
  for (const one of state.results) one.pictures = { ...state.pictures, ...one.pictures };
}

function buildStages() {
  stages = state.results.map((one) => new Stage(one.name, tell, swipe));
  $("stages").replaceChildren(...stages.map((stage) => stage.figure));
  $("result").classList.toggle("two", stages.length === 2);
  swipe(50);
}

function swipe(percent) {
  for (const stage of stages) stage.split(percent);
}

/** Paint the classes anew, and the pictures with them. */
function repaint() {
  for (const one of state.results) paintResult(one, state.hidden);
  draw();
}

function draw() {
  state.results.forEach((one, i) => {
    const [height, width] = one.answer.size;
    const facts = make("span", {}, `${width} × ${height}, ${one.answer.seconds.toFixed(2)} s`);
    stages[i].show(one, look, [one.name, facts]);
  });
  writeLines();
}

/** Say what stands at a pixel: beside it, beneath the pictures and, for keys, aloud. */
function tell(place) {
  if (!place) {
    for (const stage of stages) stage.mark(null);
    return;
  }
  const { width, height } = place.size;
  const parts = [`x ${place.x}, y ${place.y}`];
  $("readout").replaceChildren(parts[0]);
  state.results.forEach((one, i) => {
    const x = Math.floor((place.x * one.labels.width) / width);
    const y = Math.floor((place.y * one.labels.height) / height);
    const at = y * one.labels.width + x;
    const found = one.model.classes.find(({ id }) => id === one.labels.data[at]);
    const text = `${found?.name ?? "unknown"} ${Math.round((100 * one.confidence.data[at]) / 255)} %`;
    const full = state.results.length > 1 ? `${one.name}: ${text}` : text;
    $("readout").append(make("span", {}, swatch(found?.color, !found?.id), full));
    parts.push(full);
    stages[i].mark({ x, y }, text, found?.id ? found.color : "#808080");
  });
  if (place.spoken) $("spoken").textContent = parts.join(", ");
}

async function begin() {
  complain(null);
  try {
    const found = await api.models(() => say("The server is loading its models …"));
    say("");
    state.models = found.models;
    $("model").replaceChildren(...found.models.map(({ name }) => new Option(name, name)));
    $("model").value = found.default;
    $("model").disabled = $("files").disabled = $("open").disabled = false;
    offerOthers();
    state.early();
    await showScenes(take);
  } catch (error) {
    complain(error);
    $("again").hidden = false;
  }
}

bindInput(take, run);
bindControls({ run, draw, repaint });
bindOutput();
$("again").addEventListener("click", () => (state.files ? run() : begin()));
begin();
