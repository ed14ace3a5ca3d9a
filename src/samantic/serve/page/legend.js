// Classes in the picture, with their shares, how sure the model is of them, and their switches.
const percent = (share) => (share > 0 && share < 0.0005 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);

function cell(row, content, kind = "td") {
  const made = document.createElement(kind);
  made.append(content);
  row.append(made);
  return made;
}

export function swatch(colour, clear) {
  const made = document.createElement("i");
  made.className = clear ? "swatch clear" : "swatch";
  if (!clear) made.style.setProperty("background-color", colour);
  return made;
}

/**
 * Fill a table with the classes of results [{name, answer}].
 * `hidden` holds names of classes that are not drawn; `changed` is called when it was changed.
 */
export function fillLegend(table, results, hidden, changed) {
  const classes = new Map();
  for (const { answer } of results) for (const one of answer.classes) classes.set(one.name, one);
  const sorted = [...classes.values()].sort((a, b) => (a.id === 0) - (b.id === 0) || b.share - a.share);
  table.replaceChildren(head(results), document.createElement("tbody"));
  for (const one of sorted) {
    const row = table.tBodies[0].insertRow();
    cell(row, nameOf(one, hidden, changed), "th").scope = "row";
    for (const { answer } of results) {
      const found = answer.classes.find(({ name }) => name === one.name);
      const share = cell(row, found ? percent(found.share) : "none");
      share.className = "share";
      share.style.setProperty("--share", found?.share ?? 0);
      share.style.setProperty("--colour", one.id === 0 ? "var(--muted)" : one.color);
      if (results.length === 1) cell(row, found ? `${Math.round(100 * found.confidence)} %` : "");
    }
  }
}

function head(results) {
  const made = document.createElement("thead");
  const row = made.insertRow();
  const titles = results.length === 1 ? ["share", "sure"] : results.map(({ name }) => name);
  for (const title of ["class", ...titles]) cell(row, title, "th").scope = "col";
  return made;
}

function nameOf(one, hidden, changed) {
  const label = document.createElement("label");
  const box = document.createElement("input");
  box.type = "checkbox";
  box.checked = one.id !== 0 && !hidden.has(one.name);
  box.disabled = one.id === 0;
  box.addEventListener("change", () => {
    if (box.checked) hidden.delete(one.name);
    else hidden.add(one.name);
    changed();
  });
  const name = document.createElement("span");
  name.textContent = one.name + (one.id === 0 ? " (clear)" : "");
  label.append(box, swatch(one.color, one.id === 0), name);
  return label;
}

/** The share of the pixels of two results that have classes of one name. */
export function agreement([first, second]) {
  const names = ({ model }) => model.classes.map(({ name }) => name);
  const [ours, theirs] = [names(first), names(second)];
  const { data } = first.labels;
  if (data.length !== second.labels.data.length) return null;
  let same = 0;
  data.forEach((label, pixel) => (same += ours[label] === theirs[second.labels.data[pixel]]));
  return same / data.length;
}
