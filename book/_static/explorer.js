// Two RDMs with one crosshair, of the data that workflow/explorer.py writes. Jupyter Book loads this on every page.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const root = document.getElementById("explorer");
  if (!root) return;
  const colours = [[68, 1, 84], [72, 40, 120], [62, 73, 137], [49, 104, 142], [38, 130, 142], [31, 158, 137],
    [53, 183, 121], [110, 206, 88], [181, 222, 43], [253, 231, 37]]; // of low, ..., high ranks
  const sets = {}, sides = ["model", "brain"];
  const now = {}; // set: its data; model, brain: the RDMs; order: of the images; pair: the images pointed at; held

  const select = (name, label) => `<label>${label}<select data-choice="${name}"></select></label>`;
  const matrix = (side, title) => `
    <div><p><strong>${title}</strong><span data-show="${side}-name"></span></p>
    <canvas tabindex="0" role="application" data-side="${side}" aria-describedby="explorer-help"></canvas></div>`;
  const picture = (i) => `
    <div><div role="img" class="picture" data-picture="${i}"></div><p data-show="image-${i}"></p></div>`;
  const move = (key, sign, label) => `<button type="button" data-key="${key}" aria-label="${label}">${sign}</button>`;
  root.innerHTML = `
    <div class="choices">
      <fieldset><legend>Images</legend>${select("set", "Set")}${select("order", "Order")}</fieldset>
      <fieldset><legend>Model</legend>${select("model-0", "Network")}${select("model-1", "Layer")}</fieldset>
      <fieldset><legend>Brain</legend>${select("brain-0", "Dataset")}${select("brain-1", "Participant")}
        ${select("brain-2", "Region or time")}</fieldset>
    </div>
    <p class="rho" aria-live="polite">Spearman's rho of the two RDMs: <strong data-show="rho"></strong>
      <span data-show="table"></span></p>
    <p id="explorer-help">Point at a cell or tap it; a click holds the pair until the next click. With the keyboard: Tab
      to a matrix, then arrow keys, with Shift ten images at once.</p>
    <div class="matrices">${matrix("model", "Model")}${matrix("brain", "Brain")}</div>
    <p class="scale">similar: rank 1<span class="bar"></span>dissimilar: rank&nbsp;<span data-show="last"></span></p>
    <div class="values">
      <div class="pictures">${picture(0)}${picture(1)}</div>
      <div class="moves" role="group" aria-label="Move the crosshair">${move("ArrowLeft", "←", "left")}
        ${move("ArrowRight", "→", "right")}${move("ArrowUp", "↑", "up")}${move("ArrowDown", "↓", "down")}</div>
      <table><thead><tr><th></th><th>Dissimilarity</th><th>Rank</th></tr></thead><tbody>
        ${sides.map((side, i) => `<tr><th>${["Model", "Brain"][i]}</th><td data-show="${side}-value"></td>
          <td data-show="${side}-rank"></td></tr>`).join("")}</tbody></table>
    </div>
    <p class="spoken" aria-live="polite" data-show="spoken"></p>`;

  const choice = (name) => root.querySelector(`[data-choice="${name}"]`);
  const canvas = (side) => root.querySelector(`[data-side="${side}"]`);
  const show = (name, text) => { root.querySelector(`[data-show="${name}"]`).textContent = text; };
  const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

  // an RDM as typed arrays: twice the rank of each pair, and the dissimilarities in ascending order
  function decode(rdm) {
    if (rdm.doubled) return rdm;
    rdm.doubled = new Uint16Array(bytes(rdm.ranks).buffer);
    rdm.sorted = new Float64Array(rdm.doubled.length);
    let filled = 0;
    rdm.counts.forEach((n, i) => rdm.sorted.fill((rdm.first + i) / 10 ** rdm.decimals, filled, filled += n));
    return rdm;
  }

  // position of a pair of images in a condensed RDM
  function position(a, b) {
    const [first, second] = a < b ? [a, b] : [b, a];
    return first * now.set.stimuli.length - first * (first + 1) / 2 + second - first - 1;
  }

  // what was chosen before stays chosen if it is still there
  function fill(list, labels) {
    const before = list.value;
    list.replaceChildren(...labels.map((label) => new Option(label, label)));
    if (labels.includes(before)) list.value = before;
  }

  // fill the lists of one side, each with what is there for the choices above it; returns the row of the RDM
  function narrow(side, n) {
    let rdms = now.set[side + "s"];
    for (let i = 0; i < n; i++) {
      const list = choice(`${side}-${i}`);
      fill(list, [...new Set(rdms.map((rdm) => rdm.labels[i]))]);
      rdms = rdms.filter((rdm) => rdm.labels[i] === list.value);
    }
    return now.set[side + "s"].indexOf(rdms[0]);
  }

  function choose() {
    const rows = [narrow("model", 2), narrow("brain", 3)];
    sides.forEach((side, i) => {
      now[side] = decode(now.set[side + "s"][rows[i]]);
      show(`${side}-name`, now[side].labels.slice(0, 3).join(", "));
    });
    show("rho", now.set.rho[rows[0]][rows[1]].toFixed(6));
    const table = now.brain.labels[3];
    show("table", table ? `(table ${table}.csv)` : "(in no table: tables have participants one by one)");
    show("last", now.model.doubled.length);
    arrange();
  }

  // put the images in the chosen order
  function arrange() {
    const label = choice("order").value, sort = now.set.sorts.find((one) => one.label === label);
    const side = sides.find((name) => label === `first principal component, ${name}`);
    now.order = sort || side ? [...bytes((sort || now[side]).order)] : [...now.set.stimuli.keys()];
    sides.forEach(paint);
    point();
  }

  // draw the ranks of one RDM, one pixel per cell, on a canvas of its own
  function paint(side) {
    const n = now.order.length, rdm = now[side], cells = document.createElement("canvas");
    cells.width = cells.height = n;
    const image = cells.getContext("2d").createImageData(n, n), last = 2 * rdm.doubled.length;
    for (let y = 0; y < n; y++) {
      for (let x = 0; x < n; x++) {
        if (x === y) continue; // an image with itself is not a pair
        const place = (rdm.doubled[position(now.order[y], now.order[x])] - 2) / (last - 2) * (colours.length - 1);
        const i = Math.min(Math.floor(place), colours.length - 2), from = colours[i], to = colours[i + 1];
        for (let k = 0; k < 3; k++) image.data[4 * (y * n + x) + k] = from[k] + (place - i) * (to[k] - from[k]);
        image.data[4 * (y * n + x) + 3] = 255;
      }
    }
    cells.getContext("2d").putImageData(image, 0, 0);
    rdm.cells = cells;
  }

  // draw both matrices with the crosshair, and show the pair in images and numbers
  function point() {
    const [row, column] = now.pair.map((image) => now.order.indexOf(image)), n = now.order.length;
    const [a, b] = now.pair.map((image) => now.set.stimuli[image]), spoken = [];
    for (const side of sides) {
      const plane = canvas(side), size = Math.ceil(600 / n), rdm = now[side];
      plane.width = plane.height = n * size;
      const context = plane.getContext("2d");
      context.imageSmoothingEnabled = false;
      context.drawImage(rdm.cells, 0, 0, n * size, n * size);
      for (const [colour, width] of [["black", 6], ["white", 3]]) {
        context.strokeStyle = colour;
        context.lineWidth = width;
        context.strokeRect(-9, row * size, n * size + 18, size);
        context.strokeRect(column * size, -9, size, n * size + 18);
      }
      const twice = a === b ? null : rdm.doubled[position(...now.pair)];
      const value = twice && rdm.sorted[Math.floor(twice / 2) - 1].toFixed(rdm.decimals);
      show(`${side}-value`, twice ? value : "–");
      show(`${side}-rank`, twice ? `${twice / 2} of ${rdm.doubled.length}` : "–");
      spoken.push(twice ? `${side}: dissimilarity ${value}, rank ${twice / 2}` : "an image with itself is not a pair");
      plane.setAttribute("aria-label", `RDM of ${rdm.labels.slice(0, 3).join(", ")}: row ${a}, column ${b}`);
    }
    const sort = now.set.sorts.find((one) => one.label === choice("order").value);
    now.pair.forEach((image, i) => {
      const picture = root.querySelector(`[data-picture="${i}"]`), columns = now.set.columns;
      picture.style.backgroundImage = `url("explorer/${now.set.name}.jpg")`;
      picture.style.backgroundSize = `${100 * columns}% auto`;
      const [x, y] = [image % columns, Math.floor(image / columns)];
      picture.style.backgroundPosition = `calc(var(--side) * ${-x}) calc(var(--side) * ${-y})`;
      picture.setAttribute("aria-label", now.set.stimuli[image]);
      const value = sort ? ` (${sort.label.replace(/^\w+: /, "")}: ${sort.values[image]})` : "";
      show(`image-${i}`, `${["Row", "Column"][i]}: ${now.set.stimuli[image]}${value}`);
    });
    show("spoken", `${a} and ${b}. ${[...new Set(spoken)].join("; ")}`);
  }

  function moveBy(key, steps) {
    const axis = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [1, -1], ArrowRight: [1, 1] }[key];
    if (!axis || !now.set) return false;
    const place = now.order.indexOf(now.pair[axis[0]]) + axis[1] * steps;
    now.pair[axis[0]] = now.order[Math.max(0, Math.min(place, now.order.length - 1))];
    point();
    return true;
  }

  function pointAt(event) {
    const box = event.currentTarget.getBoundingClientRect(), n = now.order.length;
    const places = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width];
    now.pair = places.map((place) => now.order[Math.max(0, Math.min(Math.floor(place * n), n - 1))]);
    point();
  }

  // show a set of images, once its script is there
  function open(name) {
    const script = Object.assign(document.createElement("script"), { src: `explorer/${name}.js` });
    if (!sets[name]) return document.head.append(script);
    const n = sets[name].stimuli.length;
    Object.assign(now, { set: sets[name], pair: [Math.floor(n / 3), Math.floor(2 * n / 3)], held: false });
    const components = sides.map((side) => `first principal component, ${side}`);
    fill(choice("order"), ["as in the data", ...now.set.sorts.map((sort) => sort.label), ...components]);
    choose();
  }

  window.explorerSet = (set) => {
    sets[set.name] = set;
    if (set.name === choice("set").value) open(set.name); // unless another one was chosen meanwhile
  };
  for (const [name, label] of JSON.parse(root.dataset.sets)) choice("set").add(new Option(label, name));
  choice("set").onchange = (event) => open(event.target.value);
  choice("order").onchange = arrange;
  for (const name of ["model-0", "model-1", "brain-0", "brain-1", "brain-2"]) choice(name).onchange = choose;
  for (const button of root.querySelectorAll("[data-key]")) button.onclick = () => moveBy(button.dataset.key, 1);
  for (const plane of sides.map(canvas)) {
    plane.onpointermove = (event) => { if (event.pointerType === "mouse" && !now.held) pointAt(event); };
    plane.onclick = (event) => { now.held = event.pointerType === "mouse" && !now.held; pointAt(event); };
    plane.onkeydown = (event) => { if (moveBy(event.key, event.shiftKey ? 10 : 1)) event.preventDefault(); };
  }
  open(choice("set").value);
});
