// Runs before the first paint, so that no wrong look flashes up.
(() => {
  let kept = null;
  try { kept = localStorage.getItem("control-plane.theme"); } catch { /* storage may be forbidden; the system's look it is */ }
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
