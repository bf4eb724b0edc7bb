// The public report: a key that makes a report sent twice one case, and the phone's own place.
document.getElementById("key").value = crypto.randomUUID ? crypto.randomUUID() : `${Date.now()}-${Math.random()}`;
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
