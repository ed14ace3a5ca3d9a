// What the server answered, as pictures and numbers.
import { colourOf, paintClasses, paintConfidence } from "./paint.js";
import { decodePng } from "./png.js";

function blobOf(url) {
  const [head, body] = url.split(",", 2);
  const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: head.slice(5).split(";")[0] });
}

/** {answer, files, labels, confidence, pictures} of an answer; labels hold class ids. */
export async function decodeAnswer(answer) {
  const files = Object.fromEntries(Object.entries(answer.images).map(([name, url]) => [name, blobOf(url)]));
  const numbers = async (name) => decodePng(new Uint8Array(await files[name].arrayBuffer()));
  const [labels, confidence] = await Promise.all([numbers("labels"), numbers("confidence")]);
  const pictures = { confidence: paintConfidence(confidence) };
  for (const name of ["rgb", "thermal", "ground"]) {
    if (files[name]) pictures[name] = await createImageBitmap(files[name]);
  }
  return { answer, files, labels, confidence, pictures };
}

/** Paint the classes of a result that are not hidden. */
export function paintResult(result, hidden) {
  const colours = [];
  for (const { id, name, color } of result.model.classes) {
    if (id !== 0 && !hidden.has(name)) colours[id] = colourOf(color);
  }
  result.layers = paintClasses(result.labels, colours);
}
