// Generated scenes to try before there is anything to drop.
import { sceneFile, scenes } from "./api.js";
import { $, complain, make } from "./state.js";

export async function showScenes(take) {
  const list = await scenes();
  $("examples").hidden = list.length === 0;
  $("scenes").replaceChildren(...list.map((scene) => itemOf(scene, take)));
}

/** A button with RGB and thermal side by side; the files are kept for the click. */
function itemOf({ name, title }, take) {
  const pictures = make("span", { className: "pictures" });
  const button = make("button", { type: "button" }, pictures, make("span", {}, title));
  const files = Promise.all(["rgb", "thermal"].map((camera) => sceneFile(name, camera)));
  files.then((both) => {
    pictures.append(...both.map((file) => make("img", { alt: "", src: URL.createObjectURL(file) })));
  }, complain);
  button.addEventListener("click", async () => {
    try {
      const [rgb, thermal] = await files;
      await take({ rgb, thermal }, name);
    } catch (error) {
      complain(error);
    }
  });
  return make("li", {}, button);
}
