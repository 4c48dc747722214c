// What a person with other eyes or other hands would miss. Each function gives a list of sentences.
(() => {
  const shown = (element) => element.checkVisibility({ opacityProperty: false, visibilityProperty: true });
  const told = (element) => {
    const id = element.id ? `#${element.id}` : "";
    const text = (element.textContent || "").trim().replace(/\s+/g, " ").slice(0, 40);
    return `<${element.localName}${id}${element.className?.length ? "." + String(element.className).split(/\s+/).join(".") : ""}> "${text}"`;
  };

  function nameOf(element) {
    const label = element.getAttribute("aria-label");
    if (label?.trim()) return label;
    const by = element.getAttribute("aria-labelledby");
    if (by) return by.split(/\s+/).map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
    if (element.labels?.length) return [...element.labels].map((each) => each.textContent).join(" ").trim();
    if (element.localName === "img") return element.alt;
    if (element.localName === "svg") return element.querySelector("title")?.textContent ?? "";
    if (element.matches("input[type=submit], input[type=button]")) return element.value;
    if (element.matches("input, select, textarea")) return element.title;
    const inner = [...element.querySelectorAll("img[alt], svg[aria-label]")].map((each) => each.alt || each.getAttribute("aria-label"));
    return (element.textContent.trim() || inner.join(" ") || element.title).trim();
  }

  window.wrongWith = () => {
    const faults = [];
    if (!document.documentElement.lang) faults.push("the page does not say its language");
    if (document.querySelectorAll("main").length !== 1) faults.push("expected one <main>");
    if (document.querySelectorAll("h1").length !== 1) faults.push(`expected one <h1>, got ${document.querySelectorAll("h1").length}`);
    if (!document.title.trim()) faults.push("no title");
    for (const element of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, svg[role=img], img, [role=button], [role=region], dialog[open]")) {
      for (const label of element.labels ?? []) if (shown(element) && !shown(label)) faults.push(`its label is hidden from everybody: ${told(element)}`);
      if (shown(element) && !nameOf(element)) faults.push(`no accessible name: ${element.outerHTML.slice(0, 160)}`);
    }
    const ids = new Set();
    for (const { id } of document.querySelectorAll("[id]")) {
      if (ids.has(id)) faults.push(`two elements have the id ${id}`);
      ids.add(id);
    }
    for (const svg of document.querySelectorAll("main svg")) {
      if (shown(svg) && svg.getAttribute("aria-hidden") !== "true" && svg.getAttribute("role") !== "img" && !nameOf(svg)) faults.push(`a picture that says nothing: ${svg.outerHTML.slice(0, 100)}`);
    }
    let level = 0;
    for (const heading of document.querySelectorAll("main h1, main h2, main h3, main h4")) {
      const now = Number(heading.localName[1]);
      if (now > level + 1) faults.push(`a heading of level ${now} after one of level ${level}: ${told(heading)}`);
      level = now;
    }
    for (const head of document.querySelectorAll("th")) if (!head.textContent.trim()) faults.push(`a head that says nothing: ${told(head.closest("table"))}`);
    for (const table of document.querySelectorAll("main table")) if (shown(table) && !table.querySelector("th")) faults.push(`a table without heads: ${told(table)}`);
    for (const cell of document.querySelectorAll("td.num, th.num")) {
      if (shown(cell) && getComputedStyle(cell).display === "table-cell" && !["right", "end"].includes(getComputedStyle(cell).textAlign)) faults.push(`a number that is not aligned right: ${told(cell)}`);
    }
    for (const element of document.querySelectorAll("[aria-labelledby], [aria-describedby], label[for]")) {
      for (const id of (element.getAttribute("aria-labelledby") ?? element.getAttribute("aria-describedby") ?? element.getAttribute("for")).split(/\s+/)) {
        if (!document.getElementById(id)) faults.push(`${told(element)} refers to #${id}, which is not there`);
      }
    }
    return [...new Set(faults)];
  };

  // Contrast, by WCAG 2.2, 1.4.3: 4.5 to 1, of large text 3 to 1. Colours are drawn to be read, whatever their notation.
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const known = new Map();
  function rgba(colour) {
    if (!known.has(colour)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = "#000";
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  }
  const over = ([r, g, b, a], [r0, g0, b0]) => [r * a + r0 * (1 - a), g * a + g0 * (1 - a), b * a + b0 * (1 - a), 1];
  const luminance = ([r, g, b]) => [r, g, b].map((each) => each / 255).map((each) => (each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4))
    .reduce((sum, each, place) => sum + each * [0.2126, 0.7152, 0.0722][place], 0);

  function behind(element) {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      const style = getComputedStyle(each);
      if (style.backgroundImage !== "none") return null; // of a picture nothing is known
      layers.push(rgba(style.backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    let colour = rgba(getComputedStyle(document.documentElement).getPropertyValue("color-scheme").includes("dark") && matchMedia("(prefers-color-scheme: dark)").matches ? "#121212" : "#ffffff");
    for (const layer of layers.reverse()) colour = over(layer, colour);
    return colour;
  }

  function behindShape(text) {
    const box = text.getBoundingClientRect();
    const at = document.elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const shape = at.slice(at.indexOf(text) + 1).find((each) => each.matches("rect, path, circle, polygon"));
    const base = behind(text.closest("svg").parentElement);
    return !at.includes(text) || !base ? null : shape ? over(rgba(getComputedStyle(shape).fill), base) : base;
  }

  window.faintTexts = () => {
    const faults = new Map();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || !shown(element) || element.closest("[disabled], .skip, option, script, style, title, datalist")) continue;
      const style = getComputedStyle(element);
      const inSvg = element.closest("svg");
      const ground = inSvg ? behindShape(element.closest("text") ?? element) : behind(element);
      if (!ground) continue;
      let opacity = 1;
      for (let each = element; each; each = each.parentElement) opacity *= Number(getComputedStyle(each).opacity);
      const [r, g, b, a] = rgba(inSvg ? style.fill : style.color);
      const ink = over([r, g, b, a * opacity], ground);
      const [light, dark] = [luminance(ink), luminance(ground)].sort((x, y) => y - x);
      const ratio = (light + 0.05) / (dark + 0.05);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      if (ratio < (large ? 3 : 4.5) - 0.005) {
        const what = `contrast ${ratio.toFixed(2)} of ${style.color} in <${element.localName} class="${element.className.baseVal ?? element.className}">`;
        if (!faults.has(what)) faults.set(what, `${what}: "${node.data.trim().slice(0, 40)}"`);
      }
    }
    return [...faults.values()];
  };

  // What the keyboard comes to shows that it is there. A key has to be pressed first, or no focus is shown at all.
  window.withoutRing = () => {
    const reached = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
    const faults = [];
    for (const element of document.querySelectorAll(reached)) {
      if (!shown(element) || element.disabled) continue;
      element.focus({ preventScroll: true });
      if (document.activeElement !== element) continue;
      const style = getComputedStyle(element);
      const shape = element.closest("svg") && element.querySelector("rect");
      const ring = shape ? parseFloat(getComputedStyle(shape).strokeWidth) >= 2
        : (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2) || style.boxShadow !== "none";
      if (!element.matches(":focus-visible") || !ring) faults.push(`the focus does not show: ${told(element)}`);
    }
    document.activeElement.blur();
    return [...new Set(faults)];
  };

  window.tooWide = () => {
    const width = document.documentElement.clientWidth;
    const over = document.documentElement.scrollWidth - width;
    if (over <= 0) return [];
    const scrolls = (each) => ["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(each).overflowX);
    const inside = (each) => { for (let up = each.parentElement; up && up !== document.body; up = up.parentElement) if (scrolls(up)) return true; return false; };
    const guilty = [...document.body.querySelectorAll("*")].filter((each) => each.getBoundingClientRect().right > width + 1 && !inside(each));
    return [`at ${width} px it scrolls sideways by ${over} px: ${guilty.slice(-2).map(told).join(", ")}`];
  };
})();
