// What maps say. Names come as plain text and become text nodes: none of them is ever markup.
window.OneGrid = (() => {
  const lineOf = ({ text, style, href, mark, colour, edge }) => {
    const line = document.createElement("div");
    if (mark) {
      const sign = document.createElement("i");
      sign.className = mark;
      sign.style.background = colour;
      if (edge) sign.style.borderColor = edge;
      line.append(sign);
    }
    const words = document.createElement(href ? "a" : style === "strong" ? "b" : "span");
    if (href) Object.assign(words, { href, target: "_top" });
    if (style === "note") words.className = "og-note";
    words.textContent = text;
    line.append(words);
    return line;
  };
  const boxOf = (lines, name) => {
    const box = document.createElement("div");
    box.className = name;
    box.append(...lines.map(lineOf));
    return box;
  };

  const say = (layer, { tip, popup }) => {
    if (tip) layer.bindTooltip(boxOf(tip, "og-tip"), { sticky: true });
    if (popup) layer.bindPopup(boxOf(popup, "og-popup"), { maxWidth: 260 });
  };
  const legend = (map, lines, titles) => {
    const control = L.control({ position: "bottomleft" });
    control.onAdd = () => boxOf(lines, "og-legend");
    control.addTo(map);
    L.control.scale({ imperial: false, position: "bottomright" }).addTo(map);
    L.control.zoom(titles).addTo(map);
    map.attributionControl.setPrefix("Leaflet");
  };
  const search = (map, layers, texts) => {
    const tipOf = (text) => {
      const tip = document.createElement("li");
      tip.textContent = text;
      return tip;
    };
    new L.Control.Search({
      layer: L.layerGroup(layers),
      propertyName: "label",
      ...texts,
      textCancel: "×",
      initial: false,
      marker: false,
      buildTip: tipOf,
      moveToLocation: (found, title, view) => view.fitBounds(found.layer.getBounds(), { maxZoom: 17 }),
    }).addTo(map);
  };
  // A place travels in the body of a request: address lines are kept in logs on the way.
  const askAt = (map, address) => map.on("click", ({ latlng }) => {
    const form = document.createElement("form");
    Object.assign(form, { method: "post", action: address, target: "_top", hidden: true });
    for (const [name, value] of [["lon", latlng.lng], ["lat", latlng.lat]]) {
      const field = document.createElement("input");
      Object.assign(field, { name, value: value.toFixed(7) });
      form.append(field);
    }
    document.body.append(form);
    form.submit();
  });

  return { askAt, label: (feature, layer) => say(layer, feature.properties), legend, say, search };
})();
