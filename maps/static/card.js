// The card's search field: suggestions while typing, and the wait counted down. Works without it.
(() => {
  const field = document.getElementById("q");
  const list = document.createElement("ul");
  const form = field.form;
  Object.assign(list, { id: "suggestions", hidden: true });
  list.setAttribute("role", "listbox");
  list.setAttribute("aria-label", field.labels[0].textContent);
  field.after(list);
  for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", "suggestions"], ["aria-expanded", "false"]]) field.setAttribute(name, value);
  field.autocomplete = "off";
  let asked = 0;
  let shown = -1;
  let timer;

  const close = () => {
    list.hidden = true;
    shown = -1;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  };
  const mark = (index) => {
    shown = index;
    [...list.children].forEach((one, at) => one.setAttribute("aria-selected", String(at === index)));
    if (index < 0) field.removeAttribute("aria-activedescendant");
    else field.setAttribute("aria-activedescendant", list.children[index].id);
  };
  const choose = (index) => {
    const { text, level } = list.children[index].dataset;
    field.value = text;
    close();
    if (["building", "unit", "room"].includes(level)) form.requestSubmit();
    else { field.focus(); ask(); }
  };
  const show = (found) => {
    list.replaceChildren(...found.map((one, at) => {
      const item = document.createElement("li");
      item.id = `suggestion-${at}`;
      item.textContent = one.text;
      Object.assign(item.dataset, one);
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", "false");
      item.addEventListener("pointerdown", (event) => { event.preventDefault(); choose(at); });
      return item;
    }));
    list.hidden = !found.length;
    shown = -1;
    field.setAttribute("aria-expanded", String(Boolean(found.length)));
  };
  const ask = async () => {
    const mine = ++asked;
    const typed = field.value.trim();
    if (typed.length < 2) return close();
    try {
      const answer = await fetch("/api/v1/addresses/suggest", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ typed }),
      });
      if (mine === asked && answer.ok) show((await answer.json()).suggestions);
    } catch {
      close(); // the form works without suggestions
    }
  };
  field.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 150); });
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    const count = list.children.length;
    if (event.key === "ArrowDown") mark((shown + 1) % count);
    else if (event.key === "ArrowUp") mark((shown + count) % count);
    else if (event.key === "Escape") close();
    else if (event.key === "Enter" && shown >= 0) choose(shown);
    else return;
    if (event.key !== "Escape") event.preventDefault();
  });

  const seconds = document.getElementById("seconds");
  if (seconds) {
    const again = document.getElementById("again");
    const button = again.querySelector("button");
    let left = Math.ceil(Number(seconds.dataset.seconds));
    button.disabled = true;
    const tick = setInterval(() => {
      left -= 1;
      seconds.textContent = Math.max(left, 0);
      if (left <= 0) { clearInterval(tick); button.disabled = false; again.requestSubmit(); }
    }, 1000);
  }
})();
