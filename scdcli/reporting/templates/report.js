"use strict";
// The map of a report: two pictures, the classes where they changed, and a line between the dates.
(async () => {
  const $ = (selector) => document.querySelector(selector);
  const $$ = (selector) => [...document.querySelectorAll(selector)];
  const data = JSON.parse($("#data").textContent);
  const NODATA = 255, BASE = 256;
  const stage = $("#stage"), canvas = $("#canvas"), pen = canvas.getContext("2d");
  const handle = $("#handle"), tip = $("#tip");
  const colors = () => (document.documentElement.dataset.colors === "safe" ? "safe" : "color");

  async function inflate(text) {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function picture(address) {
    if (!address) return null;
    const image = new Image();
    image.src = address;
    await image.decode();
    return image;
  }

  // ---- the areas: all of them

  const table = $("#areas");
  if (table) {
    table.classList.add("short");
    $("#more")?.addEventListener("click", () => { table.classList.remove("short"); $("#more").remove(); });
  }

  // ---- the layers

  const { width, height, step, rows, cols } = data;
  const [planes, before, after] = await Promise.all([
    Promise.all(data.planes.map(inflate)), picture(data.before), picture(data.after),
  ]);
  const [from, to, sure] = planes;
  const layer = () => Object.assign(document.createElement("canvas"), { width: cols, height: rows });
  const overlays = { from: layer(), to: layer() };
  const shown = new Uint8Array(BASE * BASE).fill(1);  // by from * 256 + to
  const state = { x: 0, y: 0, scale: 1, split: 0.5, opacity: 0.65, paint: "class", box: null, region: null };

  const packed = ([red, green, blue], alpha = 255) => ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  const rgb = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
  const RAMP = ["#fde725", "#5ec962", "#21918c", "#3b528b", "#440154"].map(rgb);

  function rampColor(percent) {
    const place = Math.min(Math.max((percent - 50) / 50, 0), 1) * (RAMP.length - 1);
    const low = Math.min(Math.floor(place), RAMP.length - 2);
    return RAMP[low].map((part, k) => Math.round(part + (RAMP[low + 1][k] - part) * (place - low)));
  }

  function paint() {
    const byClass = new Uint32Array(BASE), bySure = new Uint32Array(BASE);
    for (const each of data.classes) byClass[each.index] = packed(rgb(each[colors()]));
    for (let percent = 0; percent <= 100; percent++) bySure[percent] = packed(rampColor(percent));
    const hole = packed([150, 150, 150], 200);
    for (const [name, classes] of [["from", from], ["to", to]]) {
      const context = overlays[name].getContext("2d");
      const pixels = new ImageData(cols, rows), words = new Uint32Array(pixels.data.buffer);
      for (let at = 0; at < words.length; at++) {
        const a = from[at];
        if (a === 0) continue;
        if (a === NODATA) words[at] = hole;
        else if (shown[a * BASE + to[at]]) {
          words[at] = state.paint === "sure" ? bySure[sure[at]] : byClass[classes[at]];
        }
      }
      context.putImageData(pixels, 0, 0);
    }
    draw();
  }

  // ---- the view: x, y are the pixel of the map in the top left corner

  const size = () => [canvas.clientWidth, canvas.clientHeight];
  const fitting = () => Math.min(size()[0] / width, size()[1] / height);

  function clamp() {
    const [w, h] = size();
    const smallest = fitting();
    state.scale = Math.min(Math.max(state.scale, smallest * 0.8), Math.max(40, smallest * 2));
    const between = (value, low, high) => (low > high ? (low + high) / 2 : Math.min(Math.max(value, low), high));
    const margin = 60 / state.scale;
    state.x = between(state.x, -margin, width - w / state.scale + margin);
    state.y = between(state.y, -margin, height - h / state.scale + margin);
  }

  function fit() {
    const [w, h] = size();
    state.scale = fitting();
    state.x = (width - w / state.scale) / 2;
    state.y = (height - h / state.scale) / 2;
    draw();
  }

  function zoom(factor, at) {
    const [px, py] = at || size().map((side) => side / 2);
    const x = state.x + px / state.scale, y = state.y + py / state.scale;
    state.scale *= factor;
    clamp();
    state.x = x - px / state.scale;
    state.y = y - py / state.scale;
    draw();
  }

  let waiting = false;
  function draw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; drawNow(); });
  }

  function drawSide(image, overlay, left, right) {
    if (right <= left) return;
    pen.save();
    pen.beginPath();
    pen.rect(left, 0, right - left, size()[1]);
    pen.clip();
    pen.scale(state.scale, state.scale);
    pen.translate(-state.x, -state.y);
    pen.beginPath();
    pen.rect(0, 0, width, height);
    pen.clip();
    pen.imageSmoothingEnabled = state.scale < 3;
    if (image) pen.drawImage(image, 0, 0, width, height);
    pen.imageSmoothingEnabled = state.scale * step < 1.5;
    pen.globalAlpha = state.opacity;
    pen.drawImage(overlay, 0, 0, cols * step, rows * step);
    pen.restore();
  }

  function drawNow() {
    clamp();
    const [w, h] = size(), dense = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(w * dense) || canvas.height !== Math.round(h * dense)) {
      canvas.width = Math.round(w * dense);
      canvas.height = Math.round(h * dense);
    }
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, w, h);
    const line = state.split * w;
    drawSide(before, overlays.from, 0, line);
    drawSide(after, overlays.to, line, w);
    pen.save();
    pen.scale(state.scale, state.scale);
    pen.translate(-state.x, -state.y);
    if (state.region) {
      pen.imageSmoothingEnabled = false;
      pen.drawImage(state.region.canvas, state.region.x, state.region.y, state.region.w, state.region.h);
    }
    if (state.box) {
      const [x0, y0, x1, y1] = state.box, room = 6 / state.scale;
      for (const [color, thick] of [["#000", 4], ["#fff", 2]]) {
        pen.strokeStyle = color;
        pen.lineWidth = thick / state.scale;
        pen.strokeRect(x0 - room, y0 - room, x1 - x0 + 2 * room, y1 - y0 + 2 * room);
      }
    }
    pen.restore();
    handle.style.left = `${line}px`;
    handle.setAttribute("aria-valuenow", String(Math.round(100 * state.split)));
    drawScale();
  }

  function drawScale() {
    const unit = data.metric ? Math.sqrt(data.pixelArea) : 1;
    const most = 120 / state.scale * unit, power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((k) => k * power).find((each) => each <= most) || power;
    const [bar, text] = $("#scale").children;
    bar.style.width = `${length / unit * state.scale}px`;
    text.textContent = !data.metric ? `${length} px` : length >= 1000 ? `${length / 1000} km` : `${length} m`;
  }

  function split(share) {
    state.split = Math.min(Math.max(share, 0), 1);
    for (const button of $$("[data-split]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.split) === state.split));
    }
    draw();
  }

  function flyTo(box) {
    const [w, h] = size(), [x0, y0, x1, y1] = box;
    const scale = Math.min(w / (x1 - x0), h / (y1 - y0)) * 0.4;
    const most = Math.max(fitting(), 12 / step);
    state.box = box;
    const goal = { scale: Math.min(Math.max(scale, fitting()), most) };
    goal.x = (x0 + x1) / 2 - w / goal.scale / 2;
    goal.y = (y0 + y1) / 2 - h / goal.scale / 2;
    Object.assign(state, goal);
    draw();
  }

  // ---- what is under the pointer: regions of one transition, found when first asked for

  let regions = null;
  function findRegions() {
    if (regions) return regions;
    const label = new Int32Array(rows * cols), parent = [0];
    const root = (k) => { while (parent[k] !== k) { parent[k] = parent[parent[k]]; k = parent[k]; } return k; };
    for (let row = 0, at = 0; row < rows; row++) {
      for (let col = 0; col < cols; col++, at++) {
        const a = from[at], b = to[at];
        if (a === 0 || a === NODATA) continue;
        const left = col && from[at - 1] === a && to[at - 1] === b ? label[at - 1] : 0;
        const up = row && from[at - cols] === a && to[at - cols] === b ? label[at - cols] : 0;
        if (!left && !up) { label[at] = parent.length; parent.push(parent.length); }
        else if (left && up) { const k = root(left), m = root(up); parent[Math.max(k, m)] = Math.min(k, m); label[at] = Math.min(k, m); }
        else label[at] = left || up;
      }
    }
    const count = new Int32Array(parent.length), sum = new Float64Array(parent.length);
    const box = new Int32Array(4 * parent.length);
    for (let at = 0; at < label.length; at++) {
      if (!label[at]) continue;
      const k = label[at] = root(label[at]), row = Math.floor(at / cols), col = at - row * cols;
      if (!count[k]) box.set([col, row, col, row], 4 * k);
      box[4 * k] = Math.min(box[4 * k], col);
      box[4 * k + 2] = Math.max(box[4 * k + 2], col);
      box[4 * k + 3] = row;
      count[k]++;
      sum[k] += sure[at];
    }
    return regions = { label, count, sum, box };
  }

  function regionAt(px, py) {
    const col = Math.floor((state.x + px / state.scale) / step), row = Math.floor((state.y + py / state.scale) / step);
    if (col < 0 || row < 0 || col >= cols || row >= rows) return null;
    const at = row * cols + col, a = from[at], b = to[at];
    if (a === 0 || a === NODATA || !shown[a * BASE + b]) return null;
    const { label, count, sum, box } = findRegions(), k = label[at];
    return { k, a, b, pixels: count[k] * step * step, sure: sum[k] / count[k], box: box.subarray(4 * k, 4 * k + 4) };
  }

  function outline(region) {
    const [x0, y0, x1, y1] = region.box, w = x1 - x0 + 1, h = y1 - y0 + 1, fine = Math.min(6, Math.max(1, Math.floor(1200 / Math.max(w, h))));
    const drawn = Object.assign(document.createElement("canvas"), { width: w * fine + 2, height: h * fine + 2 });
    const context = drawn.getContext("2d"), { label } = findRegions();
    const inside = (col, row) => col >= 0 && row >= 0 && col < cols && row < rows && label[row * cols + col] === region.k;
    context.fillStyle = "#fff";
    for (let row = y0; row <= y1; row++) {
      for (let col = x0; col <= x1; col++) {
        if (!inside(col, row)) continue;
        const x = (col - x0) * fine + 1, y = (row - y0) * fine + 1;
        if (!inside(col - 1, row)) context.fillRect(x - 1, y - 1, 1, fine + 2);
        if (!inside(col + 1, row)) context.fillRect(x + fine, y - 1, 1, fine + 2);
        if (!inside(col, row - 1)) context.fillRect(x - 1, y - 1, fine + 2, 1);
        if (!inside(col, row + 1)) context.fillRect(x - 1, y + fine, fine + 2, 1);
      }
    }
    const edge = step / fine;
    return { canvas: drawn, k: region.k, x: x0 * step - edge, y: y0 * step - edge, w: w * step + 2 * edge, h: h * step + 2 * edge };
  }

  const nameOf = (index) => data.classes[index - 1].name;
  function area(pixels) {
    const about = step > 1 ? "about " : "";
    if (!data.metric) return `${about}${pixels.toLocaleString("en")} px`;
    const metres = pixels * data.pixelArea;
    return metres >= 1e4 ? `${about}${(metres / 1e4).toFixed(2)} ha` : `${about}${Math.round(metres).toLocaleString("en")} m²`;
  }

  function hover(px, py) {
    const region = regionAt(px, py);
    tip.hidden = !region;
    if (!region) {
      if (state.region) { state.region = null; draw(); }
      return;
    }
    if (state.region?.k !== region.k) { state.region = outline(region); draw(); }
    const name = document.createElement("b"), more = document.createElement("span");
    name.textContent = data.changeOnly ? "changed" : `${nameOf(region.a)} → ${nameOf(region.b)}`;
    more.className = "muted";
    more.textContent = `${area(region.pixels)}, ${Math.round(region.sure)} % sure`;
    tip.replaceChildren(name, document.createElement("br"), more);
    const [w, h] = size();
    tip.style.left = `${Math.min(px + 14, w - tip.offsetWidth - 6)}px`;
    tip.style.top = `${py + 18 + tip.offsetHeight > h ? py - tip.offsetHeight - 8 : py + 18}px`;
  }

  // ---- pointers and keys

  const pointers = new Map();
  let moved = 0;
  const place = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    moved = 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    const now = place(event), was = pointers.get(event.pointerId);
    if (!was) { hover(...now); return; }
    const others = [...pointers].filter(([id]) => id !== event.pointerId).map(([, at]) => at);
    moved += Math.hypot(now[0] - was[0], now[1] - was[1]);
    tip.hidden = true;
    state.x -= (now[0] - was[0]) / state.scale / (others.length + 1);
    state.y -= (now[1] - was[1]) / state.scale / (others.length + 1);
    if (others.length) {
      const apart = (at) => Math.hypot(at[0] - others[0][0], at[1] - others[0][1]);
      zoom(apart(now) / Math.max(apart(was), 1), [(now[0] + others[0][0]) / 2, (now[1] + others[0][1]) / 2]);
    }
    pointers.set(event.pointerId, now);
    draw();
  });
  for (const name of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(name, (event) => {
      pointers.delete(event.pointerId);
      if (name === "pointerup" && moved < 4) { state.box = null; hover(...place(event)); draw(); }
    });
  }
  canvas.addEventListener("pointerleave", () => { if (!pointers.size) { tip.hidden = true; state.region = null; draw(); } });
  canvas.addEventListener("dblclick", (event) => zoom(2, place(event)));
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas && !event.ctrlKey && !event.metaKey) return;  // the page scrolls
    event.preventDefault();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), place(event));
  }, { passive: false });

  handle.addEventListener("pointerdown", (event) => {
    handle.setPointerCapture(event.pointerId);
    handle.focus({ preventScroll: true });
    event.preventDefault();
  });
  handle.addEventListener("pointermove", (event) => {
    if (handle.hasPointerCapture(event.pointerId)) split(place(event)[0] / size()[0]);
  });
  handle.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1, Home: -1, End: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    split(state.split + by);
  });
  const KEYS = {
    ArrowLeft: () => { state.x -= 60 / state.scale; }, ArrowRight: () => { state.x += 60 / state.scale; },
    ArrowUp: () => { state.y -= 60 / state.scale; }, ArrowDown: () => { state.y += 60 / state.scale; },
    "+": () => zoom(1.4), "=": () => zoom(1.4), "-": () => zoom(1 / 1.4), 0: fit,
    b: () => split(1), a: () => split(0), s: () => split(0.5), Escape: () => { state.box = null; },
  };
  canvas.addEventListener("keydown", (event) => {
    const act = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
    draw();
  });

  // ---- what is shown

  const boxes = $$("[data-pair]").map((input) => ({ input, pair: input.dataset.pair.split(",").map(Number) }));
  function refresh() {
    for (const { input, pair: [a, b] } of boxes) shown[a * BASE + b] = input.checked ? 1 : 0;
    for (const input of $$("[data-class]")) {
      const index = Number(input.dataset.class), touching = boxes.filter(({ pair }) => pair.includes(index));
      const on = touching.filter((each) => each.input.checked).length;
      input.checked = on > 0;
      input.indeterminate = on > 0 && on < touching.length;
    }
    tip.hidden = true;
    state.region = null;
    paint();
  }
  function showOnly(test) {
    for (const { input, pair } of boxes) input.checked = test(pair);
    refresh();
  }
  for (const { input } of boxes) input.addEventListener("change", refresh);
  for (const input of $$("[data-class]")) {
    input.addEventListener("change", () => {
      const index = Number(input.dataset.class), on = input.checked;
      for (const each of boxes) if (each.pair.includes(index)) each.input.checked = on;
      refresh();
    });
  }
  for (const button of $$("[data-only-class]")) {
    button.addEventListener("click", () => showOnly((pair) => pair.includes(Number(button.dataset.onlyClass))));
  }
  for (const part of $$("[data-only]")) {
    const act = () => {
      const [a, b] = part.dataset.only.split(",").map(Number);
      showOnly((pair) => pair[0] === a && pair[1] === b);
      $("#map").scrollIntoView();
    };
    part.addEventListener("click", act);
    part.addEventListener("keydown", (event) => { if (event.key === "Enter" && part.tagName !== "BUTTON") act(); });
  }
  $("#all")?.addEventListener("click", () => showOnly(() => true));
  $("#opacity")?.addEventListener("input", (event) => { state.opacity = event.target.value / 100; draw(); });
  $("#safe")?.addEventListener("change", (event) => {
    document.documentElement.dataset.colors = event.target.checked ? "safe" : "legend";
    paint();
  });
  for (const button of $$("[data-paint]")) {
    button.addEventListener("click", () => {
      state.paint = button.dataset.paint;
      for (const other of $$("[data-paint]")) other.setAttribute("aria-pressed", String(other === button));
      $("#ramp").hidden = state.paint !== "sure";
      paint();
    });
  }
  for (const button of $$("[data-split]")) button.addEventListener("click", () => split(Number(button.dataset.split)));
  $("#zoom-in").addEventListener("click", () => zoom(1.6));
  $("#zoom-out").addEventListener("click", () => zoom(1 / 1.6));
  $("#fit").addEventListener("click", fit);
  for (const link of $$("[data-box]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      $("#map").scrollIntoView();
      canvas.focus({ preventScroll: true });
      flyTo(link.dataset.box.split(",").map(Number));
    });
  }

  // ---- pictures for paper

  function drawForPaper() {
    const small = Math.min(1, 900 / Math.max(width, height));
    for (const [id, image, overlay] of [["before", before, null], ["after", after, null], ["map", after, overlays.to]]) {
      const paper = $(`#print-${id}`), context = paper.getContext("2d");
      paper.width = Math.max(1, Math.round(width * small));
      paper.height = Math.max(1, Math.round(height * small));
      if (image) {
        if (overlay) context.filter = "grayscale(1) brightness(1.15) opacity(.55)";
        context.drawImage(image, 0, 0, paper.width, paper.height);
        context.filter = "none";
      }
      if (overlay) context.drawImage(overlay, 0, 0, cols * step * small, rows * step * small);
    }
  }

  paint();
  fit();
  drawNow();
  drawForPaper();
  window.addEventListener("beforeprint", drawForPaper);
  new ResizeObserver(() => draw()).observe(stage);
  $("#loading").remove();
  document.body.dataset.ready = "yes";
})().catch((problem) => {
  const place = document.querySelector("#loading");
  if (place) place.textContent = "This browser is too old to draw the map; tables and charts need nothing of it.";
  console.error(problem);
});
