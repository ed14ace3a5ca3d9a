// Lines for a shell and for Python that make what is on the screen.
//
// `asked` is {cameras: {camera: file name}, rgbt: file name or null, scene, base: URL, token: bool},
// a call {name, cameras: that the model reads, only: names of classes, or null for all}.
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const word = (text) => (/^[\w.\-/:=]+$/.test(text) ? text : quoted(text));
const oneLine = (text) => text.replace(/[\r\n]/g, " ");
const plain = (text) => text.replace(/[^\w.\-]+/g, "_");

/** A file for curl -F, whose own quotes guard commas and semicolons in names. */
function form(camera, name) {
  const escaped = name.replace(/[\\"]/g, "\\$&");
  return /^[\w.\-]+$/.test(name) ? `-F ${camera}=@${name}` : `-F ${quoted(`${camera}=@"${escaped}"`)}`;
}

/** The cameras that a model is given: [[camera, file name]]. */
function given(asked, call) {
  return Object.entries(asked.cameras).filter(([camera]) => call.cameras.includes(camera));
}

const outOf = (calls, call) => (calls.length > 1 ? `overlay-${plain(call.name)}.png` : "overlay.png");

export function curlLines(asked, calls, look) {
  const header = asked.token ? ' -H "Authorization: Bearer $TOKEN"' : "";
  const lines = Object.entries(asked.scene ? asked.cameras : {}).map(([camera, name]) => {
    const url = `${asked.base}scenes/${encodeURIComponent(asked.scene)}/${camera}.png`;
    return `curl${header} ${word(url)} -o ${word(name)}`;
  });
  for (const call of calls) {
    let files = given(asked, call);
    if (asked.rgbt && files.length === 2) files = [["rgbt", asked.rgbt]];
    else if (asked.rgbt) lines.push(`# ${files[0][1]}: cut out of ${oneLine(asked.rgbt)}`);
    lines.push([
      `curl${header}`,
      files.map(([camera, name]) => form(camera, name)).join(" "),
      `-F ${word(`model=${call.name}`)} -F format=overlay -F ground=${look.ground}`,
      `${word(`${asked.base}predict`)} -o ${outOf(calls, call)}`,
    ].join(" \\\n  "));
  }
  return lines.join("\n");
}

export function pythonLines(asked, calls, look) {
  const lines = ["import samantic"];
  if (asked.rgbt) {
    lines.unshift("import numpy as np", "from PIL import Image");
    lines.push("", `pixels = np.asarray(Image.open(${JSON.stringify(asked.rgbt)}))`);
  }
  const parts = { rgb: "pixels[..., :3]", thermal: "pixels[..., 3]" };
  const image = ([camera, name]) => `${camera}=${asked.rgbt ? parts[camera] : JSON.stringify(name)}`;
  for (const call of calls) {
    const select = call.only ? `.select(only=${JSON.stringify(call.only)})` : "";
    const opacity = look.outlines ? 0 : look.opacity;
    lines.push(
      "",
      `model = samantic.load(${JSON.stringify(call.name)})  # its name or folder`,
      `prediction = model.predict(${given(asked, call).map(image).join(", ")})${select}`,
      `prediction.overlay(${opacity}, ground="${look.ground}").save(${JSON.stringify(outOf(calls, call))})`,
      "print(prediction.shares())",
    );
  }
  return lines.join("\n");
}
