// A phone's photo has more pixels than a case needs: it is drawn smaller before it is sent, without
// the place that the camera writes into it. What the browser cannot draw is sent as it is.
const SIDE = 2048;

export async function smaller(photo) {
  let picture;
  try {
    picture = await createImageBitmap(photo, { imageOrientation: "from-image" });
  } catch {
    return photo;
  }
  const scale = Math.min(1, SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  const drawn = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
  return drawn ? new File([drawn], "photo.jpg", { type: "image/jpeg" }) : photo;
}
