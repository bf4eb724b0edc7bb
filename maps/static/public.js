// The public report: the phone's own place, and nothing sent twice. Works without it.
document.getElementById("here").addEventListener("click", () => {
  navigator.geolocation?.getCurrentPosition(({ coords }) => {
    document.getElementById("where").value = `${coords.longitude.toFixed(6)}, ${coords.latitude.toFixed(6)}`;
  });
});
document.getElementById("public").addEventListener("submit", (event) => {
  event.target.querySelector("button:not([type])").disabled = true;
});
document.querySelector("input[type=file]").addEventListener("change", (event) => {
  event.target.parentElement.querySelector("output").textContent = event.target.files[0]?.name || "";
});
