// Texts in the reader's language: the page brings the catalogue, English stands for itself.
const facts = JSON.parse(document.getElementById("facts").textContent);

export { facts };

export function t(message) {
  return facts.words[message] || message;
}

export function number(value, digits = 0) {
  return value.toLocaleString(facts.lang === "zh" ? "zh-CN" : "en-GB", {
    maximumFractionDigits: digits,
    minimumFractionDigits: digits,
  });
}

export function time(iso) {
  const options = { dateStyle: "medium", timeStyle: "short" };
  return new Date(iso).toLocaleString(facts.lang === "zh" ? "zh-CN" : "en-GB", options);
}

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(made.style, value); // an attribute would be inline
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.filter((one) => one !== null && one !== undefined));
  return made;
}
