// The dialog that asks before what cannot be undone.

const dialog = document.querySelector("#confirm");
const field = dialog.querySelector(".field");
const input = field.querySelector("input");
const yes = dialog.querySelector(".yes");
const no = dialog.querySelector(".no");

// Whether the person said yes. With `type` they have to type that word first; the safe answer has the focus otherwise.
export function confirmed({ title, question, details = "", type = "", yes: word }) {
  dialog.querySelector("h2").textContent = title;
  dialog.querySelector(".question").textContent = question;
  dialog.querySelector("pre").textContent = details;
  dialog.querySelector("pre").hidden = !details;
  field.hidden = !type;
  field.querySelector(".name").textContent = `Type ${type} to go on`;
  input.value = "";
  yes.textContent = word;
  yes.disabled = Boolean(type);
  input.oninput = () => { yes.disabled = input.value.trim() !== type; };
  dialog.returnValue = "";
  return new Promise((resolve) => {
    let said = false;
    dialog.querySelector("form").onsubmit = () => { said = !yes.disabled; };
    no.onclick = () => dialog.close();
    dialog.onclose = () => resolve(said);
    dialog.showModal();
    (type ? input : no).focus();
  });
}
