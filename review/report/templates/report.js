"use strict";
// The page's only script: searches the table of hosts, and opens a host. It makes elements and
// texts, never HTML, so nothing that a document holds can become more than text.
(() => {
  const $ = (id) => document.getElementById(id);
  const body = $("table").tBodies[0];
  const rows = [...body.rows];
  const number = new Intl.NumberFormat("en");
  let data;
  const load = () => (data ??= JSON.parse($("data").textContent));

  // What would turn a text round, or not be seen in it, is spelt out.
  const show = (text) => String(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu,
    (char) => {
      const code = char.codePointAt(0);
      const [letter, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
      return "\\" + letter + code.toString(16).padStart(digits, "0");
    });

  // make("td", {class: "mono"}, "text", element, ...)
  function make(tag, attributes, ...inside) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...inside.map((each) => each instanceof Node ? each : show(each)));
    return element;
  }

  // Searching. All words must occur; a whole address also finds the host whose prefix holds it.

  function readAddress(text) {
    const four = text.split(".");
    if (four.length === 4 && four.every((part) => /^\d{1,3}$/.test(part) && part < 256)) {
      return {bits: 32n, value: four.reduce((sum, part) => (sum << 8n) + BigInt(part), 0n)};
    }
    if (!/^[0-9a-f:]+$/.test(text)) return null;
    const halves = text.split("::");
    const groups = halves.map((half) => half ? half.split(":") : []);
    const missing = 8 - groups.flat().length;
    if (halves.length > 2 || (halves.length === 2 ? missing < 1 : missing !== 0)) return null;
    const all = halves.length === 2
      ? [...groups[0], ...Array(missing).fill("0"), ...groups[1]] : groups[0];
    if (!all.every((group) => /^[0-9a-f]{1,4}$/.test(group))) return null;
    return {bits: 128n, value: all.reduce((sum, group) => (sum << 16n) + BigInt("0x" + group), 0n)};
  }

  function readPrefix(text) {
    const [address, length] = text.split("/");
    const read = readAddress(address);
    return read && {...read, rest: read.bits - BigInt(length)};
  }

  let index;
  function buildIndex() {
    return rows.map((row) => ({
      row,
      text: row.textContent.toLowerCase(),
      prefixes: [...row.cells[2].children].map((span) => readPrefix(span.textContent)),
    }));
  }

  function matches(entry, word) {
    if (entry.text.includes(word.text)) return true;
    return word.address !== null && entry.prefixes.some((prefix) => prefix
      && prefix.bits === word.address.bits
      && prefix.value >> prefix.rest === word.address.value >> prefix.rest);
  }

  function search() {
    index ??= buildIndex(); // when first needed: a page that is only read does without
    const words = $("query").value.toLowerCase().split(/\s+/).filter(Boolean)
      .map((text) => ({text, address: readAddress(text)}));
    let found = 0;
    for (const entry of index) {
      const hit = words.every((word) => matches(entry, word));
      entry.row.hidden = !hit;
      const panel = panels.get(entry.row);
      if (panel) panel.hidden = !hit || !panel.dataset.open;
      found += hit;
    }
    const all = number.format(rows.length);
    $("found").textContent = words.length
      ? `${number.format(found)} of ${all} hosts` : `${all} host${rows.length === 1 ? "" : "s"}`;
    $("nobody").hidden = found > 0;
    $("table").hidden = found === 0;
  }

  // Opening a host. Its document is put together from what all hosts share and what is its own.

  const panels = new Map();

  function unpack(name) {
    const [shape, ...own] = load().hosts[name];
    const {tree, shared} = data.shapes[shape];
    const fill = (part) => typeof part === "number" ? (part < 0 ? shared[-part - 1] : own[part])
      : Array.isArray(part) ? part.map(fill)
      : Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, fill(inner)]));
    return fill(tree);
  }

  const nameOf = (row) => decodeURIComponent(row.querySelector("a").hash).slice("#host-".length);

  function toggle(row, open) {
    let panel = panels.get(row);
    const link = row.querySelector("a");
    if (open && !panel) {
      panel = buildPanel(nameOf(row));
      panel.id = "panel-" + rows.indexOf(row);
      panels.set(row, panel);
      row.after(panel);
      link.setAttribute("aria-controls", panel.id);
    }
    if (!panel) return;
    panel.hidden = !open;
    panel.dataset.open = open ? "yes" : "";
    link.setAttribute("aria-expanded", String(open));
  }

  function buildPanel(name) {
    const host = unpack(name);
    const sheet = make("div", {class: "sheet"});
    sheet.append(
      ...listValues(host), ...listRoutes(host), ...listRules(host), ...listCni(host),
      ...listPeers(host), fold("The document, as JSON",
        () => make("pre", {tabindex: "0"}, document.createTextNode(spell(host)))));
    return make("tr", {class: "panel"}, make("td", {colspan: "4"}, sheet));
  }

  const spell = (host) => JSON.stringify(host, null, 2).split("\n").map(show).join("\n");

  function listValues({wireguard, bridge, sysctls}) {
    const pairs = [
      ["WireGuard device", `${wireguard.interface}, port ${wireguard.listenPort}, MTU ${wireguard.mtu}`],
      ["Its addresses", wireguard.addresses.join("  ")],
      ["Its public key", wireguard.publicKey],
      ["Bridge", `${bridge.interface}, MTU ${bridge.mtu}, ${bridge.mac}`],
      ["Bridge addresses", bridge.addresses.join("  ")],
      ["Keepalive", wireguard.persistentKeepalive ? `every ${wireguard.persistentKeepalive} s` : "none"],
      ["Pre-shared keys", wireguard.presharedKeyEpoch ? `epoch ${wireguard.presharedKeyEpoch}` : "none"],
      ["Sysctls", Object.entries(sysctls).map(([key, value]) => `${key} = ${value}`).join("  ") || "none"],
    ];
    const list = make("dl", {class: "values"});
    for (const [term, value] of pairs) {
      list.append(make("div", {}, make("dt", {}, term), make("dd", {}, value)));
    }
    return [make("h3", {}, "Devices"), list];
  }

  function listRoutes({routes}) {
    return [make("h3", {}, "Routes"), tabulate("routes", ["Destination", "Way", "Metric"],
      routes.map((route) => [
        {mono: route.destination}, route.device ? `by ${route.device}` : route.type, route.metric]))];
  }

  function listRules({firewall}) {
    const families = [["IPv4", firewall.ipv4], ["IPv6", firewall.ipv6]];
    return [make("h3", {}, "Firewall"), ...families.flatMap(([family, chains]) =>
      (chains ?? []).flatMap((chain) => [
        make("h4", {}, `${family} ${chain.name}: ${chain.stage} ${chain.hooks.join(", ")}, called ${chain.position}`),
        tabulate("rules", ["Packets", "Verdict", "Reason"], chain.rules.map((rule) => [
          {mono: spellMatch(rule)}, {verdict: rule.verdict}, rule.comment]))]))];
  }

  function spellMatch(rule) {
    const parts = [];
    if (rule.input) parts.push(`in ${rule.input}`);
    if (rule.output) parts.push(`out ${rule.output}`);
    if (rule.source) parts.push(`from ${rule.source}`);
    if (rule.destination) parts.push(`to ${rule.destination}`);
    if (rule.tcpSyn) parts.push("TCP that opens");
    return parts.join(", ") || "all";
  }

  function listCni({cni}) {
    const plugins = Array.isArray(cni.config.plugins) ? cni.config.plugins : [];
    const ranges = plugins.flatMap((plugin) => plugin?.ipam?.ranges ?? []).flat();
    // A configuration may be any JSON, such as an object that no text can be made of.
    const say = (value) => typeof value === "string" ? value : JSON.stringify(value) ?? "nothing";
    const pods = ranges.map((range) => `${say(range?.rangeStart)} to ${say(range?.rangeEnd)}`);
    return [make("h3", {}, "CNI"), tabulate("cni", ["What", "Value"], [
      ["File", {mono: cni.fileName}],
      ["Plugins", {mono: plugins.map((plugin) => plugin?.type).join(", ") || "none"}],
      ["Addresses of pods", {mono: pods.join("  ") || "none"}]])];
  }

  function listPeers(host) {
    const peers = host.wireguard.peerGroups
      .flatMap((group) => Object.entries(load().peers[group] ?? {}))
      .filter(([name]) => name !== host.name);
    return [make("h3", {class: "folded"}, "Peers"), fold(`${number.format(peers.length)} peer${peers.length === 1 ? "" : "s"}`,
      () => tabulate("peers", ["Node", "Endpoint", "Allowed IPs"],
        peers.map(([name, [, endpoint, ...prefixes]]) => [
          name, {mono: endpoint ?? "none: speaks first"}, {mono: prefixes.join("  ")}])))];
  }

  function tabulate(kind, heads, lines) {
    if (!lines.length) return make("p", {class: "note"}, "none");
    const cell = (value) => {
      const [name, text] = value instanceof Object ? Object.entries(value)[0] : ["", value];
      return make("td", name ? {class: name} : {}, text);
    };
    return make("table", {class: kind},
      make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", {scope: "col"}, head)))),
      make("tbody", {}, ...lines.map((line) => make("tr", {}, ...line.map(cell)))));
  }

  // Something large, made when it is opened.
  function fold(title, build) {
    const details = make("details", {class: "folded"}, make("summary", {}, title));
    details.addEventListener("toggle", () => details.append(build()), {once: true});
    return details;
  }

  function openTarget() {
    const row = location.hash.startsWith("#host-") && $(decodeURIComponent(location.hash.slice(1)));
    if (row) {
      toggle(row, true);
      row.scrollIntoView();
    }
  }

  body.addEventListener("click", (event) => {
    const link = event.target.closest("th a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    toggle(link.closest("tr"), link.getAttribute("aria-expanded") !== "true");
  });
  $("query").addEventListener("input", search);
  $("query").addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      const row = rows.find((each) => !each.hidden);
      if (row) {
        toggle(row, true);
        row.querySelector("a").focus();
      }
    } else if (event.key === "Escape") {
      $("query").value = "";
      search();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !(event.target instanceof HTMLInputElement)) {
      event.preventDefault();
      $("query").focus();
    }
  });
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details.essential:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
  addEventListener("hashchange", openTarget);
  document.querySelector(".search").hidden = false;
  $("found").textContent = `${number.format(rows.length)} host${rows.length === 1 ? "" : "s"}`;
  openTarget();
})();
