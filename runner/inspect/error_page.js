// Draws the texts of the error page, filtered and sorted. The values stand in #data (embedded.py says what they mean).
// Texts of the data enter the page by textContent alone.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const NOTHING = "∅", STRIDE = 8, AT_ONCE = 25, CONTEXT = 12, MOST_DRAWN = 60, WIDEST = 150, SVG = "http://www.w3.org/2000/svg";
  const $ = id => document.getElementById(id);

  function el(tag, attributes, ...children) {
    const node = document.createElement(tag);
    return fill(node, attributes, children);
  }
  function svg(tag, attributes, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
  }
  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }

  // Values

  const labelOf = (component, i) => i < 0 ? NOTHING : component.labels[i];

  function outcomes(text, c) {
    const rows = text.o[c], component = data.components[c], list = [];
    for (let i = 0; i < rows.length; i += STRIDE) {
      const [kind, gs, ge, gl, ps, pe, pl, sure] = rows.slice(i, i + STRIDE);
      list.push({
        kind: component.kinds[kind], wrong: kind > 0, sure: sure < 0 ? null : sure / 1000,
        gold: gl < 0 ? null : {start: gs, end: ge, label: labelOf(component, gl)},
        predicted: pl < 0 ? null : {start: ps, end: pe, label: labelOf(component, pl)},
      });
    }
    return list;
  }
  const placeOf = outcome => outcome.gold || outcome.predicted;
  const wholeText = text => text.lower || (text.lower = (text.w.join("") + " " + text.p).toLowerCase());

  // Filters

  const asked = {component: "", kind: "", gold: "", predicted: "", text: "", least: "", most: "", sort: "errors"};
  const SORTS = {
    errors: "most errors", sure: "most confident error", share: "most errors a word", short: "shortest", file: "order in the data",
  };

  function matching(outcome) {
    if (!outcome.wrong || (asked.kind && outcome.kind !== asked.kind)) return false;
    if (asked.gold && (outcome.gold ? outcome.gold.label : NOTHING) !== asked.gold) return false;
    if (asked.predicted && (outcome.predicted ? outcome.predicted.label : NOTHING) !== asked.predicted) return false;
    if (asked.least !== "" && !(outcome.sure !== null && outcome.sure * 100 >= Number(asked.least))) return false;
    return asked.most === "" || (outcome.sure !== null && outcome.sure * 100 <= Number(asked.most));
  }

  function found() {
    const search = asked.text.toLowerCase(), hits = [];
    data.texts.forEach((text, at) => {
      if (search && !wholeText(text).includes(search)) return;
      let n = 0, surest = 0;
      data.components.forEach((component, c) => {
        if (asked.component && component.name !== asked.component) return;
        for (const outcome of outcomes(text, c)) {
          if (matching(outcome)) { n += 1; surest = Math.max(surest, outcome.sure || 0); }
        }
      });
      if (n) hits.push({text, at, n, surest});
    });
    const keys = {
      errors: hit => [-hit.n, -hit.surest], sure: hit => [-hit.surest, -hit.n], share: hit => [-hit.n / hit.text.w.length],
      short: hit => [hit.text.w.length], file: hit => [hit.text.i],
    };
    const key = keys[asked.sort] || keys.errors;
    for (const hit of hits) hit.key = [...key(hit), hit.at];
    return hits.sort((a, b) => { const i = a.key.findIndex((x, j) => x !== b.key[j]); return i < 0 ? 0 : a.key[i] - b.key[i]; });
  }

  // Drawing one text

  function label(name, kind) { return el("span", {class: "label " + (kind || "")}, name); }

  function said(outcome, text) {
    const place = placeOf(outcome), isArc = outcome.isArc, item = el("li");
    if (outcome.name) item.append(outcome.name + ", ");
    item.append(outcome.kind);
    if (!outcome.isText) item.append(": “", el("bdi", {}, text.w.slice(place.start, isArc ? place.start + 1 : place.end).join("").trim()), "”");
    const arc = mark => isArc && mark ? (mark.end === mark.start ? " (root)" : " (of " + text.w[mark.end].trim() + ")") : "";
    item.append(" ", label(outcome.gold ? outcome.gold.label + arc(outcome.gold) : NOTHING, "gold"), " → ",
      label(outcome.predicted ? outcome.predicted.label + arc(outcome.predicted) : NOTHING, "predicted"));
    if (outcome.sure !== null) item.append(", " + (outcome.sure * 100).toFixed(1) + " % sure");
    return item;
  }

  // The stretches of a long text that surround these marks: [start, end], in words.
  function windows(n, marks) {
    const kept = [];
    for (const [start, end] of marks.sort((a, b) => a[0] - b[0])) {
      const low = Math.max(0, start - CONTEXT), high = Math.min(n, end + CONTEXT), last = kept[kept.length - 1];
      if (last && low <= last[1] + 3) last[1] = Math.max(last[1], high); else kept.push([low < 4 ? 0 : low, n - high < 4 ? n : high]);
    }
    return kept;
  }

  // Words in their stretches; `spans` are drawn by `draw(span, its words)`.
  function running(text, stretches, spans, draw) {
    const line = el("p", {class: "text", dir: "auto"});
    for (const [low, high] of stretches) {
      if (low > 0) line.append(el("span", {class: "gap"}, "… "));
      let i = low;
      for (const span of spans.filter(span => span.end > low && span.start < high).sort((a, b) => a.start - b.start)) {
        line.append(text.w.slice(i, Math.max(i, span.start)).join(""));
        const words = text.w.slice(span.start, span.end).join("");
        line.append(draw(span, words.trim()), words.endsWith(" ") ? " " : "");
        i = span.end;
      }
      line.append(text.w.slice(i, high).join(""));
      if (high < text.w.length) line.append(el("span", {class: "gap"}, " …"));
    }
    return line;
  }

  function drawWords(text, all, chosen) {
    const stretches = windows(text.w.length, chosen.map(o => [placeOf(o).start, placeOf(o).end]));
    const spans = all.filter(o => o.wrong).map(o => ({...placeOf(o), outcome: o}));
    return [running(text, stretches, spans, (span, words) => {
      const mark = el("mark", {dir: "auto", class: chosen.includes(span.outcome) ? "wrong" : ""}, words), o = span.outcome;
      mark.append(el("span", {class: "label"}, el("span", {class: "gold"}, o.gold ? o.gold.label : NOTHING), " → ",
        el("span", {class: "predicted"}, o.predicted ? o.predicted.label : NOTHING)));
      return mark;
    })];
  }

  function drawSpans(text, all, chosen) {
    const marks = chosen.flatMap(o => [o.gold, o.predicted].filter(Boolean).map(m => [m.start, m.end]));
    return ["gold", "predicted"].map(side => {
      const spans = all.filter(o => o[side]).map(o => ({...o[side], outcome: o}));
      const line = running(text, windows(text.w.length, marks.slice()), spans, (span, words) => {
        const isWrong = chosen.includes(span.outcome);
        return el("mark", {dir: "auto", class: isWrong ? (side === "gold" ? "gold" : "wrong") : ""}, words, label(span.label));
      });
      return el("div", {class: "row"}, el("span", {class: "name"}, side), line);
    });
  }

  function drawText(text, all, chosen, chances, component) {
    const words = text.w, parts = [], short = words.slice(0, 120).join("");
    parts.push(el("p", {class: "text", dir: "auto"}, short + (words.length > 120 ? "…" : "")));
    if (words.length > 120) {
      parts.push(el("details", {}, el("summary", {}, text.n > words.length ? "The first " + count(words.length, "word") : "The whole text, " + count(words.length, "word")), el("p", {class: "text", dir: "auto"}, words.join(""))));
    }
    const bars = el("div", {class: "chances"});
    for (let i = 0; i < chances.length; i += 3) {
      const [name, share, isGold] = chances.slice(i, i + 3);
      bars.append(el("span", {class: "label" + (isGold ? " is-gold" : "")}, labelOf(component, name) + (isGold ? " (gold)" : "")),
        el("span", {class: "track", "aria-hidden": "true"}, el("div", {class: "fill", style: "width: " + share / 10 + "%"})),
        el("span", {class: "number"}, (share / 10).toFixed(1) + " %"));
    }
    if (chances.length) parts.push(bars);
    return parts;
  }

  // Trees: gold arcs above the words, predicted arcs below; an arc that differs is coloured.
  const pen = document.createElement("canvas").getContext("2d");
  function width(string, size) { pen.font = size + "px system-ui, 'DejaVu Sans', sans-serif"; return pen.measureText(string).width; }

  // Whether the first letter is one of a writing from right to left.
  function isLeftward(words) {
    const letter = words.join("").match(/\p{L}/u);
    return letter !== null && /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(letter[0]);
  }

  function drawArcs(text, all, chosen) {
    const n = text.w.length, crossed = new Uint16Array(n + 1);
    for (const o of all) {
      for (const head of [o.gold && o.gold.end, o.predicted && o.predicted.end]) {
        const dependent = placeOf(o).start;
        for (let i = Math.min(head, dependent) + 1; i <= Math.max(head, dependent); i++) crossed[i] = 1;
      }
    }
    const pieces = new Map();
    for (const o of chosen) {
      let low = placeOf(o).start, high = low + 1;
      while (low > 0 && crossed[low]) low -= 1;
      while (high < n && crossed[high]) high += 1;
      if (high - low > WIDEST) {  // a sentence too long for one picture: the words around the error
        low = Math.max(low, Math.floor(placeOf(o).start / WIDEST) * WIDEST);
        high = Math.min(high, low + WIDEST);
      }
      if (!pieces.has(low)) pieces.set(low, [low, high]);
    }
    return [...pieces.values()].sort((a, b) => a[0] - b[0]).map(([low, high]) => tree(text, all, chosen, low, high));
  }

  function tree(text, all, chosen, low, high) {
    const words = text.w.slice(low, high).map(word => word.trim() || "␣");
    const inside = all.filter(o => placeOf(o).start >= low && placeOf(o).start < high);
    const sides = ["gold", "predicted"].map(side => levels(inside.filter(o => o[side] && o[side].end >= low && o[side].end < high).map(o => (
      {from: o[side].end - low, to: o[side].start - low, label: o[side].label, outcome: o, differs: o.wrong}))));
    const need = words.map(word => width(word, 12) + 16);
    for (const arcs of sides) {
      for (const arc of arcs) if (Math.abs(arc.from - arc.to) <= 1) {
        const at = Math.max(arc.from, arc.to), room = width(arc.label, 11) + 18;
        need[at] = Math.max(need[at], room);
        if (arc.from !== arc.to) need[at - 1] = Math.max(need[at - 1], room);
      }
    }
    const x = []; let right = 8;
    for (const w of need) { x.push(right + w / 2); right += w; }
    if (isLeftward(words)) x.forEach((at, i) => { x[i] = right + 8 - at; });
    const step = 20, [above, below] = sides.map(arcs => step * (1 + Math.max(0, ...arcs.map(arc => arc.level))) + 16);
    const base = above + 14, height = base + 14 + below;
    const picture = svg("svg", {width: Math.ceil(right + 8), height, role: "img", "aria-label":
      "Gold arcs above, predicted arcs below: " + words.join(" ") + ". The differences are listed after the picture."});
    words.forEach((word, i) => picture.append(svg("text", {x: x[i], y: base + 4}, word)));
    sides.forEach((arcs, isBelow) => {
      const edge = base + (isBelow ? 12 : -12), sign = isBelow ? 1 : -1;
      for (const arc of arcs.sort((a, b) => a.differs - b.differs)) {
        const kind = !chosen.includes(arc.outcome) ? "" : isBelow ? "wrong" : "gold";
        const group = svg("g", {class: kind}), top = edge + sign * step * arc.level;
        if (arc.from === arc.to) {
          group.append(svg("path", {d: `M${x[arc.to]},${top}L${x[arc.to]},${edge + sign * 4}`}),
            svg("text", {class: "relation halo", x: x[arc.to], y: top + sign * 4 + (isBelow ? 9 : 0)}, arc.label));
        } else {
          const isRight = x[arc.from] < x[arc.to], shift = isRight ? 4 : -4, a = x[arc.from] + shift, b = x[arc.to], tip = isRight ? -1 : 1;
          const bend = Math.min(10, Math.abs(a - b) / 2);
          group.append(svg("path", {d: `M${a},${edge}C${a},${top} ${a},${top} ${a - tip * bend},${top}L${b + tip * bend},${top}C${b},${top} ${b},${top} ${b},${edge + sign * 4}`}),
            svg("text", {class: "relation halo", x: (a + b) / 2, y: top + 4}, arc.label));
        }
        group.append(svg("path", {d: `M${x[arc.to] - 3.5},${edge + sign * 7}L${x[arc.to]},${edge + sign * 1}L${x[arc.to] + 3.5},${edge + sign * 7}`}));
        picture.append(group);
      }
    });
    return el("div", {class: "tree scroll"}, picture);
  }

  // Give each arc a level above all arcs that lie under it.
  function levels(arcs) {
    const done = [];
    const length = arc => arc.from === arc.to ? Infinity : Math.abs(arc.from - arc.to);
    for (const arc of arcs.sort((a, b) => length(a) === length(b) ? a.to - b.to : length(a) - length(b))) {
      const low = Math.min(arc.from, arc.to), high = Math.max(arc.from, arc.to);
      const under = low === high ? o => Math.min(o.from, o.to) <= low && Math.max(o.from, o.to) >= low
        : o => Math.min(o.from, o.to) < high && Math.max(o.from, o.to) > low;
      arc.level = 1 + Math.max(0, ...done.filter(under).map(o => o.level));
      done.push(arc);
    }
    return arcs;
  }

  const FOLDED = new Set(["arcs", "words"]);  // views whose picture says nearly all
  const DRAW = {words: drawWords, spans: drawSpans, arcs: drawArcs, text: drawText};

  function drawn(hit) {
    const text = hit.text, article = el("article");
    article.append(el("header", {}, el("h3", {}, text.p),
      el("span", {class: "small"}, count(hit.n, "error"))));
    data.components.forEach((component, c) => {
      if (asked.component && component.name !== asked.component) return;
      const all = outcomes(text, c), wrong = all.filter(matching), chosen = wrong.slice(0, MOST_DRAWN);
      if (!wrong.length) return;
      for (const o of all) Object.assign(o, {isArc: component.view === "arcs", isText: component.view === "text",
        name: asked.component || data.components.length === 1 ? "" : component.name});
      article.append(...DRAW[component.view](text, all, chosen, text.c[c], component));
      const list = el("ul", {class: "errors"}, ...chosen.map(o => said(o, text)));
      article.append((FOLDED.has(component.view) && chosen.length > 1) || chosen.length > 10 ? el("details", {}, el("summary", {class: "small"}, "The same in words"), list) : list);
      if (wrong.length > chosen.length) article.append(el("p", {class: "small"}, "Drawn are the first " + chosen.length + " of " + count(wrong.length, "error") + " here."));
    });
    if (text.n > text.w.length) article.append(el("p", {class: "small"}, "Shown are the first " + count(text.w.length, "word") + " of " + text.n.toLocaleString("en") + "."));
    return article;
  }

  // What is wider or higher than its box can be scrolled with the keys.
  function reachable(root) {
    for (const box of root.querySelectorAll(".scroll")) {
      const caption = box.querySelector("caption"), picture = box.querySelector("svg");
      if (box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight) {
        for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
        continue;
      }
      box.tabIndex = 0;
      box.setAttribute("role", caption ? "region" : "group");
      if (!box.hasAttribute("aria-label")) box.setAttribute("aria-label", caption ? caption.textContent : picture ? "tree" : "");
    }
  }

  // The list

  let hits = [], n = 0;

  function more() {
    const next = hits.slice(n, n + AT_ONCE).map(drawn), first = next[0];
    $("list").append(...next);
    next.forEach(reachable);
    n += next.length;
    $("more").hidden = n >= hits.length;
    return first;
  }

  const count = (n, noun) => n.toLocaleString("en") + " " + noun + (n === 1 ? "" : "s");

  function show() {
    hits = found();
    n = 0;
    $("list").replaceChildren();
    more();
    const total = hits.reduce((sum, hit) => sum + hit.n, 0);
    $("status").textContent = hits.length ? `${count(hits.length, "text")} with ${count(total, "error")}.`
      : data.texts.length ? "No text has such an error." : "No text has an error.";
  }

  // Controls

  function choice(name, title, options) {
    const select = el("select", {name}, ...options.map(([value, text]) => el("option", {value}, text)));
    select.value = asked[name];
    if (select.selectedIndex < 0) { select.value = asked[name] = ""; }
    return el("label", {}, title, select);
  }
  function field(name, title, attributes) {
    const input = el("input", {name, ...attributes});
    input.value = asked[name];
    return el("label", {}, title, input);
  }
  function distinct(lists) { return [...new Set(lists.flat())]; }

  function controls() {
    const some = data.components.filter(component => !asked.component || component.name === asked.component);
    const kinds = distinct(some.map(component => component.kinds.slice(1)));
    const labels = distinct(some.map(component => component.labels)).sort();
    const options = names => [["", "any"], ...names.map(name => [name, name])];
    const isSure = data.texts.some(text => text.o.some(rows => rows.some((value, i) => i % STRIDE === 7 && value >= 0)));
    const parts = [];
    if (data.components.length > 1) parts.push(choice("component", "Component", [["", "all"], ...data.components.map(c => [c.name, c.name])]));
    parts.push(choice("kind", "Kind of error", options(kinds)), choice("gold", "Gold label", options([...labels, NOTHING])),
      choice("predicted", "Predicted label", options([...labels, NOTHING])),
      field("text", "Words, or the place", {type: "search"}));
    if (isSure) {
      parts.push(field("least", "Confidence from, %", {type: "number", min: 0, max: 100}),
        field("most", "to, %", {type: "number", min: 0, max: 100}));
    }
    parts.push(choice("sort", "Order", Object.entries(SORTS).filter(([name]) => isSure || name !== "sure")), el("button", {type: "reset"}, "Clear"));
    $("filters").replaceChildren(...parts);
    $("filters").hidden = !data.texts.length;
  }

  function remember() {
    const query = new URLSearchParams(Object.entries(asked).filter(([name, value]) => value !== "" && !(name === "sort" && value === "errors")));
    try { history.replaceState(null, "", "#" + (query.toString() || "texts")); } catch { /* a sandbox has no address */ }
  }

  function fromAddress() {
    const hash = location.hash.slice(1);
    if (!hash.includes("=")) return false;
    const query = new URLSearchParams(hash);
    for (const name of Object.keys(asked)) asked[name] = query.get(name) || (name === "sort" ? "errors" : "");
    return true;
  }

  function refresh() { controls(); show(); }

  $("filters").addEventListener("submit", event => event.preventDefault());
  $("filters").addEventListener("input", event => {
    asked[event.target.name] = event.target.value;
    if (event.target.name === "component") { asked.kind = asked.gold = asked.predicted = ""; controls(); $("filters").querySelector("[name=component]").focus(); }
    remember();
    show();
  });
  $("filters").addEventListener("reset", event => {
    event.preventDefault();
    for (const name of Object.keys(asked)) asked[name] = name === "sort" ? "errors" : "";
    remember();
    refresh();
    $("filters").querySelector("select").focus();
  });
  $("more").addEventListener("click", () => { const first = more(); if (first) { first.tabIndex = -1; first.focus(); } });
  document.addEventListener("click", event => {  // a link of the tables: also where the address cannot change
    const link = event.target.closest('a[href^="#"]');
    if (!link || !link.getAttribute("href").includes("=")) return;
    event.preventDefault();
    const query = new URLSearchParams(link.getAttribute("href").slice(1));
    for (const name of Object.keys(asked)) asked[name] = query.get(name) || (name === "sort" ? "errors" : "");
    remember();
    refresh();
    $("texts").scrollIntoView();
    $("texts-title").tabIndex = -1;
    $("texts-title").focus({preventScroll: true});
  });
  window.addEventListener("resize", () => reachable(document));
  window.addEventListener("hashchange", () => { if (fromAddress()) refresh(); });
  fromAddress();
  reachable(document);
  if (data.components.length) refresh();
})();
