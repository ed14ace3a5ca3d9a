// Pictures out of numbers: class colours and outlines, confidence, and what lies beneath.
const packed = ([red, green, blue]) => 0xff000000 | (blue << 16) | (green << 8) | red; // for a canvas
const INSIDE = packed([255, 255, 255]); // the two lines of an outline: one is seen on any ground
const OUTSIDE = packed([0, 0, 0]);
const LINE = 720; // one pixel of line for so many pixels of the shorter side, as in overlay files
const RAMP = [[0, 32, 77], [66, 78, 108], [124, 123, 120], [187, 172, 105], [255, 234, 70]]; // cividis

export function canvasOf(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** A colour "#rrggbb" as canvases hold it. */
export const colourOf = (hex) => packed([1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16)));

/** A picture in which colour(pixel) is packed, or 0 for clear. */
function painted(width, height, colour) {
  const canvas = canvasOf(width, height);
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const words = new Uint32Array(image.data.buffer);
  for (let pixel = 0; pixel < words.length; pixel++) words[pixel] = colour(pixel);
  context.putImageData(image, 0, 0);
  return canvas;
}

export function paintConfidence({ width, height, data }) {
  const table = Array.from({ length: 256 }, (_, level) => {
    const place = Math.min((level / 255) * (RAMP.length - 1), RAMP.length - 1.001);
    const [low, high] = [RAMP[Math.floor(place)], RAMP[Math.floor(place) + 1]];
    return packed(low.map((part, i) => Math.round(part + (high[i] - part) * (place % 1))));
  });
  return painted(width, height, (pixel) => table[data[pixel]]);
}

/**
 * The layers of labels {width, height, data}: `fill` in class colours, `edges` as in overlay files,
 * and `lines`, outlines in class colours.
 * `colours` are packed, by label id; what has none stays clear.
 */
export function paintClasses({ width, height, data }, colours) {
  const shown = data.map((label) => (colours[label] ? label : 0));
  const reach = 1 + Math.floor(Math.min(width, height) / LINE);
  const least = extreme(shown, width, height, reach, Math.min);
  const most = extreme(shown, width, height, reach, Math.max);
  const border = shown.map((label, pixel) => Number(least[pixel] < label || most[pixel] > label));
  const rim = extreme(border, width, height, reach, Math.max);
  const outside = (pixel) => (most[pixel] > shown[pixel] ? OUTSIDE : 0);
  return {
    fill: painted(width, height, (pixel) => colours[shown[pixel]] ?? 0),
    edges: painted(width, height, (pixel) => (least[pixel] < shown[pixel] ? INSIDE : outside(pixel))),
    lines: painted(width, height, (pixel) => (rim[pixel] && colours[shown[pixel]]) || outside(pixel)),
  };
}

/** The least or greatest id in the square around each pixel. */
function extreme(ids, width, height, reach, choose) {
  const along = new Uint8Array(ids.length);
  const both = new Uint8Array(ids.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let found = ids[y * width + x];
      const end = Math.min(width - 1, x + reach);
      for (let at = Math.max(0, x - reach); at <= end; at++) found = choose(found, ids[y * width + at]);
      along[y * width + x] = found;
    }
  }
  for (let y = 0; y < height; y++) {
    const end = Math.min(height - 1, y + reach);
    for (let x = 0; x < width; x++) {
      let found = along[y * width + x];
      for (let at = Math.max(0, y - reach); at <= end; at++) found = choose(found, along[at * width + x]);
      both[y * width + x] = found;
    }
  }
  return both;
}

/** What classes are drawn on, by the choice of the ground. */
export function drawGround(context, kind, pictures) {
  const { width, height } = context.canvas;
  const draw = (picture) => picture && context.drawImage(picture, 0, 0, width, height);
  const { rgb, thermal, ground } = pictures;
  if (kind === "rgb" || kind === "thermal") draw(pictures[kind] ?? ground);
  else if (kind === "blend" && rgb && thermal) {
    draw(rgb);
    context.globalAlpha = 0.5;
    draw(thermal);
    context.globalAlpha = 1;
  } else draw(ground);
}

/** Classes over a ground, as the controls say. */
export function drawLabels(context, layers, pictures, look) {
  drawGround(context, look.ground, pictures);
  if (look.outlines) {
    context.drawImage(layers.lines, 0, 0);
    return;
  }
  context.globalAlpha = look.opacity;
  context.drawImage(layers.fill, 0, 0);
  context.globalAlpha = 1;
  context.drawImage(layers.edges, 0, 0);
}
