// The files that are asked about: dropped, chosen or pasted, swapped, and cameras that are missing.
import { assign } from "./files.js";
import { $, chosen, complain, make, present, state } from "./state.js";

const TITLES = { rgb: "RGB", thermal: "Thermal", rgbt: "RGB + thermal" };

let wanted = null; // the camera whose file is being chosen
let take;

export function bindInput(taken, run) {
  take = taken;
  $("files").addEventListener("change", () => {
    const [list, camera] = [[...$("files").files], wanted];
    $("files").value = "";
    wanted = null;
    takeFiles(list, camera);
  });
  $("files").addEventListener("cancel", () => (wanted = null));
  $("open").addEventListener("click", () => choose(null));
  $("swap").addEventListener("click", () => take({ rgb: state.files.thermal, thermal: state.files.rgb }));
  $("role-choice").addEventListener("change", (event) => {
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
  const moved = (by) => {
    depth = by && depth + by;
    document.body.classList.toggle("dropping", depth > 0);
  };
  addEventListener("dragenter", () => moved(1));
  addEventListener("dragleave", () => moved(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    moved(0);
    takeFiles([...event.dataTransfer.files], null);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) takeFiles([...event.clipboardData.files], null);
  });
}

function choose(camera) {
  wanted = camera;
  $("files").click();
}

async function takeFiles(list, camera) {
  if (state.models.length === 0) {
    state.early = () => takeFiles(list, camera); // the models are still to come
    return;
  }
  try {
    await take(camera ? { ...state.files, [camera]: list[0] } : await assign(list));
  } catch (error) {
    complain(error);
  }
}

/** The card of the input as it stands. */
export function showInput() {
  const { files, scene, results } = state;
  const kinds = files.rgbt ? ["rgbt"] : ["rgb", "thermal"];
  $("inputs").replaceChildren(...kinds.flatMap((kind) => [
    make("dt", {}, TITLES[kind]),
    make("dd", {}, files[kind]?.name ?? adder(kind)),
  ]));
  const single = Object.keys(files).length === 1;
  $("role").hidden = !single || scene !== null;
  $("role-choice").value = Object.keys(files)[0];
  $("swap").hidden = single;
  showCameras();
  const notes = new Set(results.flatMap((one) => one.answer.notes));
  $("notes").replaceChildren(...[...notes].map((text) => make("li", {}, text)));
}

/** The switches: one camera can be left out where there are two that a model reads. */
function showCameras() {
  const read = new Set(chosen().flatMap((model) => model.cameras));
  const used = present().filter((camera) => read.has(camera));
  for (const camera of ["rgb", "thermal"]) {
    const box = $(`use-${camera}`);
    box.checked = used.includes(camera) && state.missing !== camera;
    box.disabled = used.length < 2 || (state.missing ?? camera) !== camera;
  }
}

/** A button that adds the camera that is not there. */
function adder(camera) {
  const title = `Add ${camera === "rgb" ? "an RGB" : "a thermal"} picture`;
  const button = make("button", { type: "button", className: "quiet" }, title);
  button.addEventListener("click", () => choose(camera));
  return button;
}
