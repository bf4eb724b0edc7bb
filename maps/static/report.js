// The slider: how much of the map of before is seen.
for (const figure of document.querySelectorAll(".compare")) {
  const range = figure.querySelector("input");
  range.addEventListener("input", () => figure.style.setProperty("--at", `${range.value}%`));
}
