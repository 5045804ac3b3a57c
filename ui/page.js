// Runs once, when the page has loaded.
() => {
  // Ctrl+Enter (Command+Enter on a Mac) in the prompt asks, as the button does; a disabled button ignores it.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.closest("#prompt")) {
      event.preventDefault();
      document.querySelector("#ask").click();
    }
  });
  // gradio gives a text box with a copy button no name that a screen reader could say
  document.querySelector("#answer textarea")?.setAttribute("aria-label", "Answer");
};
