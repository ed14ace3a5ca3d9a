"use strict";
// Thermal over RGB under a homography, which four corners set.
{
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const section = document.getElementById("rig");
  const stage = section.querySelector(".stage");
  const [below, above] = stage.querySelectorAll("img");
  const handles = [...stage.querySelectorAll(".corner")];
  const outline = stage.querySelector("polygon");
  const status = section.querySelector(".status");
  const text = document.getElementById("yaml");
  const control = (name) => section.querySelector(`[name="${name}"]`);
  const [height, width] = facts.rgb;
  const [h, w] = facts.thermal;
  // corners of the image, where pixels begin and end; their centres are at whole numbers
  const own = [[-0.5, -0.5], [w - 0.5, -0.5], [w - 0.5, h - 0.5], [-0.5, h - 0.5]];

  const times = (a, b) => a.map((row) => b[0].map((_, j) => row.reduce((s, v, k) => s + v * b[k][j], 0)));
  const at = (m, [x, y]) => {
    const [u, v, s] = m.map((row) => row[0] * x + row[1] * y + row[2]);
    return [u / s, v / s];
  };
  // the homography through four points: eight linear equations, by elimination with pivots
  function through(from, to) {
    const rows = from.flatMap(([x, y], i) => {
      const [u, v] = to[i];
      return [[x, y, 1, 0, 0, 0, -u * x, -u * y, u], [0, 0, 0, x, y, 1, -v * x, -v * y, v]];
    });
    for (let i = 0; i < 8; i += 1) {
      let best = i;
      for (let j = i + 1; j < 8; j += 1) if (Math.abs(rows[j][i]) > Math.abs(rows[best][i])) best = j;
      [rows[i], rows[best]] = [rows[best], rows[i]];
      for (let j = 0; j < 8; j += 1) {
        if (j === i) continue;
        const factor = rows[j][i] / rows[i][i];
        for (let k = i; k < 9; k += 1) rows[j][k] -= factor * rows[i][k];
      }
    }
    const x = rows.map((row, i) => row[8] / row[i]);
    return [x.slice(0, 3), x.slice(3, 6), [x[6], x[7], 1]];
  }
  // four corners that go round one way, each turning the same way: else it is no view of an image
  const convex = (points) => points.every((a, i) => {
    const b = points[(i + 1) % 4];
    const c = points[(i + 2) % 4];
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0]) > 1;
  });

  const given = own.map((corner) => at(facts.matrix, corner));
  let corners = given.map((corner) => [...corner]);
  let changed = false;
  const before = [];
  const matrix = () => (changed ? through(own, corners) : facts.matrix);

  // what the stage shows: all of RGB and of thermal as it was given, and a margin
  const xs = [...given.map((c) => c[0]), 0, width].map((x) => Math.min(Math.max(x, -width), 2 * width));
  const ys = [...given.map((c) => c[1]), 0, height].map((y) => Math.min(Math.max(y, -height), 2 * height));
  const margin = 0.03 * width;
  const [left, top] = [Math.min(...xs) - margin, Math.min(...ys) - margin];
  const [wide, high] = [Math.max(...xs) + margin - left, Math.max(...ys) + margin - top];
  let scale = 1;
  const toStage = ([x, y]) => [(x - left) * scale, (y - top) * scale];

  const css = (m) => `matrix3d(${[0, 1, null, 2].flatMap((j) => [0, 1, null, 2].map((i) => (
    i === null || j === null ? Number(i === j) : m[i][j]))).join(",")})`;

  function draw() {
    scale = stage.clientWidth / wide;
    stage.style.height = `${high * scale + 2}px`;
    // elements begin at the edge of a pixel, half a pixel before its centre
    const view = [[scale, 0, (-0.5 - left) * scale], [0, scale, (-0.5 - top) * scale], [0, 0, 1]];
    const shift = (by) => [[1, 0, by], [0, 1, by], [0, 0, 1]];
    below.style.transform = css(view);
    above.style.transform = css(times(view, times(shift(0.5), times(matrix(), shift(-0.5)))));
    handles.forEach((handle, i) => {
      const [x, y] = toStage(corners[i]);
      handle.style.left = `${x}px`;
      handle.style.top = `${y}px`;
    });
    outline.setAttribute("points", corners.map((c) => toStage(c).join(",")).join(" "));
    const rows = matrix().map((row) => `  - [${row.map((v) => Number(v.toPrecision(12))).join(", ")}]`);
    const how = changed ? "corrected by hand" : "as it was found";
    text.value = `# a thermal pixel (x, y, 1) times this is an RGB pixel; ${how}\nthermal_to_rgb:\n${rows.join("\n")}\nthermal_size: [${w}, ${h}]\nrgb_size: [${width}, ${height}]\n`;
  }

  function tell(words) {
    status.textContent = words;
  }
  const name = (i) => handles[i].getAttribute("aria-label");
  function move(i, point) {
    const moved = corners.map((corner, j) => (j === i ? point : corner));
    if (!convex(moved)) {
      tell(`${name(i)}: no further, the corners would cross`);
      return;
    }
    corners = moved;
    changed = true;
    draw();
    tell(`${name(i)} at ${point.map((v) => v.toFixed(1)).join(", ")} in RGB`);
  }
  function keep() {
    before.push([corners, changed]);
  }

  handles.forEach((handle, i) => {
    let grip = null;
    const point = (event) => {
      const box = stage.getBoundingClientRect();
      return [event.clientX - box.left - stage.clientLeft, event.clientY - box.top - stage.clientTop]
        .map((v, axis) => v / scale + (axis ? top : left));
    };
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      const start = point(event);
      grip = [corners[i][0] - start[0], corners[i][1] - start[1]];
      keep();
    });
    handle.addEventListener("pointermove", (event) => {
      if (!grip) return;
      const here = point(event);
      move(i, [here[0] + grip[0], here[1] + grip[1]]);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      handle.addEventListener(end, () => {
        if (grip && before.at(-1)[0] === corners) before.pop(); // a click that moved nothing
        grip = null;
      });
    }
    handle.addEventListener("keydown", (event) => {
      const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
      const way = ways[event.key];
      if (!way) return;
      event.preventDefault();
      const step = event.shiftKey ? 10 : event.ctrlKey ? 0.1 : 1;
      keep();
      move(i, [corners[i][0] + step * way[0], corners[i][1] + step * way[1]]);
    });
  });

  function show() {
    const pair = facts.pairs[Number(control("pair").value)];
    below.src = pair.rgb;
    above.src = pair.thermal;
    below.alt = `RGB of ${pair.name}`;
    above.alt = `thermal of ${pair.name}`;
  }
  function blend() {
    above.style.opacity = control("opacity").value / 100;
    above.style.mixBlendMode = control("look").value;
  }
  below.width = width;
  below.height = height;
  above.width = w;
  above.height = h;
  control("pair").addEventListener("change", show);
  control("look").addEventListener("change", blend);
  control("opacity").addEventListener("input", blend);

  let timer = 0;
  control("blink").addEventListener("click", (event) => {
    const starts = !timer;
    event.target.setAttribute("aria-pressed", String(starts));
    clearInterval(timer);
    above.style.visibility = "";
    timer = starts ? setInterval(() => {
      above.style.visibility = above.style.visibility ? "" : "hidden";
    }, 600) : 0;
  });
  control("undo").addEventListener("click", () => {
    if (!before.length) {
      tell("nothing to undo");
      return;
    }
    [corners, changed] = before.pop();
    draw();
    tell("undone");
  });
  control("reset").addEventListener("click", () => {
    keep();
    corners = given.map((corner) => [...corner]);
    changed = false;
    draw();
    tell("as it was given");
  });
  control("download").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text.value], { type: "text/yaml" }));
    link.download = "rig.yaml";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    tell("rig.yaml is downloaded");
  });

  section.hidden = false;
  show();
  blend();
  new ResizeObserver(draw).observe(stage);
  draw();
}
