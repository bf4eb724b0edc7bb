// The public report: the phone's own place, a photo of a fitting size, nothing sent twice. Works
// without it.
import { smaller } from "./photo.js";

document.getElementById("here").addEventListener("click", () => {
  navigator.geolocation?.getCurrentPosition(({ coords }) => {
    document.getElementById("where").value = `${coords.longitude.toFixed(6)}, ${coords.latitude.toFixed(6)}`;
  });
});

const form = document.getElementById("public");
const photo = document.querySelector("input[type=file]");
let drawing = Promise.resolve();

photo.addEventListener("change", () => {
  photo.parentElement.querySelector("output").textContent = photo.files[0]?.name || "";
  drawing = photo.files[0] ? exchange(photo.files[0]) : Promise.resolve();
});

async function exchange(chosen) {
  const drawn = await smaller(chosen);
  if (photo.files[0] !== chosen) return;
  const held = new DataTransfer();
  held.items.add(drawn);
  photo.files = held.files;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  form.querySelector("button:not([type])").disabled = true;
  await drawing;
  form.submit();
});
