// folium's pop-ups turn text into an element by `$(text)[0]`: that is all they need of jQuery.
window.$ = function (html) {
  var box = document.createElement("template");
  box.innerHTML = html.trim();
  return [box.content.firstElementChild];
};
