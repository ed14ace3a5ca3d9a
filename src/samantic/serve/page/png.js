// PNG files by their numbers. A canvas is no way to read class ids: browsers that guard against
// fingerprinting add noise to what it gives, and it loses colours where alpha is 0.
const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const CHANNELS = { 0: 1, 2: 3, 4: 2, 6: 4 }; // by colour type; palettes are not read

/** The first facts of a PNG: width, height, bits, colour type, interlacing; null if it is none. */
export function pngHeader(bytes) {
  if (bytes.length < 29 || SIGNATURE.some((byte, i) => bytes[i] !== byte)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return {
    width: view.getUint32(16),
    height: view.getUint32(20),
    depth: bytes[24],
    colour: bytes[25],
    interlaced: bytes[28] !== 0,
  };
}

/** The samples of a PNG of 8 or 16 bits, as bytes in reading order: {..., channels, data}. */
export async function decodePng(bytes) {
  const header = pngHeader(bytes);
  const channels = CHANNELS[header?.colour];
  if (!channels || header.interlaced || header.depth < 8) {
    throw new Error("not a plain PNG of 8 or 16 bits");
  }
  const raw = await through(new DecompressionStream("deflate"), chunksOf(bytes, "IDAT"));
  const step = (channels * header.depth) / 8;
  const data = unfiltered(raw, header.width * step, header.height, step);
  return { ...header, channels, data };
}

function chunksOf(bytes, kind) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (name === kind) parts.push(bytes.subarray(at + 8, at + 8 + length));
    at += 12 + length;
  }
  return parts;
}

async function through(stream, parts) {
  return new Uint8Array(await new Response(new Blob(parts).stream().pipeThrough(stream)).arrayBuffer());
}

/** Undo the filter of each line (PNG specification, 9.2). */
function unfiltered(raw, width, height, step) {
  if (raw.length < (width + 1) * height) throw new Error("the PNG is torn");
  const data = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const kind = raw[y * (width + 1)];
    const line = raw.subarray(y * (width + 1) + 1, (y + 1) * (width + 1));
    const at = y * width;
    for (let x = 0; x < width; x++) {
      const left = x < step ? 0 : data[at + x - step];
      const up = y === 0 ? 0 : data[at + x - width];
      const corner = x < step || y === 0 ? 0 : data[at + x - width - step];
      data[at + x] = line[x] + guess(kind, left, up, corner);
    }
  }
  return data;
}

function guess(kind, left, up, corner) {
  if (kind === 0) return 0;
  if (kind === 1) return left;
  if (kind === 2) return up;
  if (kind === 3) return (left + up) >> 1;
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** Some channels of a decoded PNG as a PNG file of their own. */
export async function pngOfChannels(image, wanted, name) {
  const { width, height, depth, channels, data } = image;
  const size = depth / 8;
  const line = 1 + width * wanted.length * size;
  const raw = new Uint8Array(height * line);
  for (let pixel = 0; pixel < width * height; pixel++) {
    let to = Math.floor(pixel / width) * line + 1 + (pixel % width) * wanted.length * size;
    for (const channel of wanted) {
      for (let byte = 0; byte < size; byte++) raw[to++] = data[(pixel * channels + channel) * size + byte];
    }
  }
  const header = new Uint8Array(13);
  new DataView(header.buffer).setUint32(0, width);
  new DataView(header.buffer).setUint32(4, height);
  header[8] = depth;
  header[9] = wanted.length === 1 ? 0 : 2;
  const packed = await through(new CompressionStream("deflate"), [raw]);
  const parts = [chunk("IHDR", header), chunk("IDAT", packed), chunk("IEND", new Uint8Array())];
  return new File([new Uint8Array(SIGNATURE), ...parts], name, { type: "image/png" });
}

function chunk(name, body) {
  const bytes = new Uint8Array(12 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = name.charCodeAt(i);
  bytes.set(body, 8);
  view.setUint32(8 + body.length, crc(bytes.subarray(4, 8 + body.length)));
  return bytes;
}

function crc(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
  }
  return ~sum >>> 0;
}
