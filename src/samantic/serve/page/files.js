// Which camera took a file: by its name, its header, and its pixels, in this order of trust.
import { decodePng, pngHeader, pngOfChannels } from "./png.js";
import { Problem } from "./state.js";

const HEAD = 1 << 18; // bytes in which headers are looked for
const THERMAL = /(^|[^a-z])(thermal|therm|ir|tir|lwir|infrared|flir|fl|th|t)([^a-z]|$)/i;
const COLOUR = /(^|[^a-z])(rgb|vis|visible|color|colour|vi|eo|day)([^a-z]|$)/i;

/**
 * Files by camera: {rgb, thermal}, {rgb}, {thermal} or {rgbt}.
 * Throws Problem where they are no one, two or three of a pair.
 */
export async function assign(files) {
  if (files.length === 0) throw new Problem("No file came with that; drop picture files");
  if (files.length > 2) {
    throw new Problem(`${files.length} files; drop one RGB and one thermal picture, or one alone`);
  }
  const facts = await Promise.all([...files].map(look));
  if (facts.length === 1) {
    const { file, four, score } = facts[0];
    return { [four ? "rgbt" : score > 0 ? "thermal" : "rgb"]: file };
  }
  const [first, second] = facts;
  const [rgb, thermal] = first.score > second.score ? [second, first] : [first, second];
  return { rgb: rgb.file, thermal: thermal.file };
}

/** A file, whether it holds four channels, and how thermal it is: above 0 for more so than not. */
async function look(file) {
  let bytes;
  try {
    bytes = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  } catch {
    throw new Problem(`${file.name} cannot be read; drop picture files, not folders`);
  }
  if (bytes.length === 0) throw new Problem(`${file.name} is empty; drop a picture file`);
  const channels = channelsOf(bytes);
  const stem = file.name.replace(/\.[^.]*$/, "");
  let score = (THERMAL.test(stem) ? 4 : 0) - (COLOUR.test(stem) ? 4 : 0);
  if (channels === 1) score += 2;
  else if (radiometric(bytes)) score += 2;
  else if (await grey(file)) score += 1;
  return { file, score, four: channels === 4 && (await alphaVaries(file)) };
}

/** Channels by the header of a PNG, JPEG or TIFF; 3 where there is no telling. */
function channelsOf(bytes) {
  const png = pngHeader(bytes);
  if (png) return { 0: 1, 2: 3, 3: 3, 4: 1, 6: 4 }[png.colour] ?? 3;
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return jpegChannels(bytes);
  return tiffChannels(bytes);
}

function jpegChannels(bytes) {
  for (let at = 2; at + 9 < bytes.length && bytes[at] === 0xff; ) {
    const kind = bytes[at + 1];
    if (kind >= 0xc0 && kind <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(kind)) return bytes[at + 9];
    at += 2 + bytes[at + 2] * 256 + bytes[at + 3];
  }
  return 3;
}

/** Tag 277, samples per pixel, of the first image of a TIFF. */
function tiffChannels(bytes) {
  const little = bytes[0] === 0x49 && bytes[1] === 0x49;
  if (bytes.length < 8 || (!little && !(bytes[0] === 0x4d && bytes[1] === 0x4d))) return 3;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint16(2, little) !== 42) return 3; // BigTIFF has its directory elsewhere
  const start = view.getUint32(4, little);
  if (start + 2 > bytes.length) return 3; // the directory stands at the end of a long file
  for (let at = start + 2, left = view.getUint16(start, little); left > 0; left--, at += 12) {
    if (at + 12 > bytes.length) return 3;
    if (view.getUint16(at, little) === 277) return view.getUint16(at + 8, little);
  }
  return 1; // the default of the format
}

/** Whether a JPEG holds what a thermal camera measured: FLIR's in APP1, DJI's in APP3. */
function radiometric(bytes) {
  let dji = false;
  for (let at = 2; at + 9 < bytes.length && bytes[0] === 0xff && bytes[at] === 0xff; ) {
    const [kind, length] = [bytes[at + 1], bytes[at + 2] * 256 + bytes[at + 3]];
    const text = String.fromCharCode(...bytes.subarray(at + 4, at + 4 + Math.min(length, 512)));
    if (kind === 0xda) return false;
    if (kind === 0xe1 && text.startsWith("FLIR")) return true;
    if (kind === 0xe1) dji ||= text.includes("DJI");
    if (kind === 0xe3 && dji) return true;
    at += 2 + length;
  }
  return false;
}

/** Whether all of a picture is grey, of a few pixels; false where the browser cannot read it. */
async function grey(file) {
  let picture;
  try {
    picture = await createImageBitmap(file, { resizeWidth: 24, resizeHeight: 24 });
  } catch {
    return false;
  }
  const canvas = new OffscreenCanvas(24, 24);
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const { data } = context.getImageData(0, 0, 24, 24);
  for (let i = 0; i < data.length; i += 4) {
    if (Math.abs(data[i] - data[i + 1]) + Math.abs(data[i] - data[i + 2]) > 12) return false;
  }
  return true;
}

/** Whether a fourth channel is more than an alpha that is opaque all over. */
async function alphaVaries(file) {
  let image;
  try {
    image = await decodePng(new Uint8Array(await file.arrayBuffer()));
  } catch {
    return true; // a TIFF, or a PNG that is read by the server alone
  }
  const step = image.depth / 8;
  for (let at = 3 * step; at < image.data.length; at += 4 * step) {
    if (image.data[at] !== 255) return true;
  }
  return false;
}

/** One camera of a picture of four channels as a file of its own. */
export async function oneCamera(file, camera) {
  let image;
  try {
    image = await decodePng(new Uint8Array(await file.arrayBuffer()));
  } catch {
    throw new Problem(`${file.name} cannot be split here; drop its cameras as two files`);
  }
  const name = file.name.replace(/\.[^.]*$/, "");
  return pngOfChannels(image, camera === "rgb" ? [0, 1, 2] : [3], `${name}-${camera}.png`);
}
