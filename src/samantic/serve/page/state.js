// What the parts of the page share: what is asked, how it is shown, and messages.
export const $ = (id) => document.getElementById(id);

/** A new element with properties and children. */
export function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A message for the user about what cannot be sent. */
export class Problem extends Error {}

export const state = {
  models: [], // as the server lists them
  early: () => {}, // takes files that came before the models
  files: null, // by camera: {rgb, thermal}, {rgb}, {thermal} or {rgbt}
  scene: null, // the name of the generated scene that the files are
  missing: null, // the camera that is left out
  pictures: {}, // of the files, as far as they have come back
  results: [], // one for each model on the screen
  hidden: new Set(), // names of classes that are not drawn
};

export const look = { left: "rgb", right: "labels", opacity: 0.55, outlines: false, ground: "auto" };

/** The models that are asked, one or two. */
export function chosen() {
  const names = [$("model").value, $("other").value].filter(Boolean);
  return names.map((name) => state.models.find((model) => model.name === name));
}

/** The cameras whose pictures are there. */
export function present() {
  return ["rgb", "thermal"].filter((camera) => state.files.rgbt || state.files[camera]);
}

export function say(text) {
  $("status").textContent = text;
}

/** Show why something did not work; nothing removes the message. */
export function complain(error) {
  $("error").hidden = !error;
  $("error-text").textContent = error?.message ?? "";
  $("again").hidden = !error || !state.files;
  if (error) say("");
}
