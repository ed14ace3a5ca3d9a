// Lines for a shell and for Python that make what is on the screen.
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A file for curl -F, whose own quotes guard commas and semicolons in names. */
function form(camera, name) {
  const plain = /^[\w.\-]+$/.test(name);
  const escaped = name.replace(/[\\"]/g, "\\$&");
  return plain ? `-F ${camera}=@${name}` : `-F ${quoted(`${camera}=@"${escaped}"`)}`;
}

const word = (text) => (/^[\w.\-/:=]+$/.test(text) ? text : quoted(text));

/** What is asked: {cameras: {camera: name}, rgbt: name or null, scene, base, token}. */
export function curlLines(asked, models, look) {
  const lines = [];
  const header = asked.token ? ` -H "Authorization: Bearer $TOKEN"` : "";
  if (asked.scene) {
    for (const [camera, name] of Object.entries(asked.cameras)) {
      const path = `${asked.base}scenes/${encodeURIComponent(asked.scene)}/${camera}.png`;
      lines.push(`curl${header} ${word(path)} -o ${word(name)}`);
    }
  }
  const whole = asked.rgbt && Object.keys(asked.cameras).length === 2;
  if (asked.rgbt && !whole) lines.push(`# ${Object.values(asked.cameras)[0]} is cut out of ${oneLine(asked.rgbt)}`);
  const files = whole ? { rgbt: asked.rgbt } : asked.cameras;
  const parts = Object.entries(files).map(([camera, name]) => form(camera, name));
  for (const model of models) {
    const out = `overlay${models.length > 1 ? `-${model.replace(/[^\w.\-]/g, "_")}` : ""}.png`;
    const fields = [`model=${model}`, "format=overlay", `ground=${look.ground}`];
    const rest = [...parts, ...fields.map((field) => `-F ${word(field)}`)];
    lines.push([`curl${header}`, ...rest, `${word(`${asked.base}predict`)} -o ${out}`].join(" \\\n  "));
  }
  return lines.join("\n");
}

const oneLine = (text) => text.replace(/[\r\n]/g, " ");

export function pythonLines(asked, models, look, only) {
  const lines = ["import samantic", ""];
  let images = Object.entries(asked.cameras).map(([camera, name]) => `${camera}=${JSON.stringify(name)}`);
  if (asked.rgbt) {
    lines.unshift("import numpy as np", "from PIL import Image");
    lines.push(`image = Image.open(${JSON.stringify(asked.rgbt)})`);
    const parts = { rgb: 'np.asarray(image.convert("RGB"))', thermal: "np.asarray(image)[..., 3]" };
    images = Object.keys(asked.cameras).map((camera) => `${camera}=${parts[camera]}`);
  }
  const select = only ? `.select(only=${JSON.stringify(only)})` : "";
  const opacity = look.outlines ? 0 : look.opacity;
  for (const model of models) {
    const out = models.length > 1 ? `overlay-${model}.png` : "overlay.png";
    lines.push(`model = samantic.load(${JSON.stringify(model)})`);
    lines.push(`prediction = model.predict(${images.join(", ")})${select}`);
    lines.push(`prediction.overlay(${opacity}, ground="${look.ground}").save(${JSON.stringify(out)})`);
    lines.push("print(prediction.shares())");
  }
  return lines.join("\n");
}
