"use strict";

const field = (id) => document.getElementById(id);
const [form, prompt, raw, submit, status, response, metrics] =
  ["ask", "prompt", "raw", "submit", "status", "response", "metrics"].map(field);

function grow(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + 2}px`;
}

function show(area, value) {
  area.value = value;
  grow(area);
}

// One prediction is shown as its text; anything else as JSON, laid out to be read.
function readable(answer) {
  const predictions = answer.predictions;
  if (Array.isArray(predictions) && predictions.length === 1) {
    const only = predictions[0];
    return typeof only === "string" ? only : JSON.stringify(only, null, 2);
  }
  return JSON.stringify(predictions ?? answer, null, 2);
}

async function ask(event) {
  event.preventDefault();
  submit.disabled = true;
  status.className = "";
  status.textContent = "Asking…";
  show(response, "");
  metrics.textContent = "";
  try {
    const body = raw.checked ? prompt.value : JSON.stringify({ instances: [prompt.value] });
    const reply = await fetch("/infer?metrics=true", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    const answer = await reply.json();
    if (!reply.ok) {
      throw new Error(typeof answer.error === "string" ? answer.error : `the server answered ${reply.status}`);
    }
    show(response, readable(answer));
    metrics.textContent = JSON.stringify(answer.metrics, null, 2);
    status.textContent = "";
  } catch (error) {
    status.className = "failed";
    status.textContent = error.message;
  } finally {
    submit.disabled = false;
  }
}

form.addEventListener("submit", ask);
prompt.addEventListener("input", () => grow(prompt));
