// What an open page says about itself, once its formulas are there: a list of faults.
const done = arguments[arguments.length - 1];
const ready = window.MathJax && MathJax.startup ? MathJax.startup.promise : Promise.resolve();
ready.then(() => {
  const page = document.scrollingElement, faults = [];
  const wide = [...document.querySelectorAll(".bd-article *")].filter(e => {
    if (e.getBoundingClientRect().right <= innerWidth + 1 || e.getClientRects().length === 0) return false;
    for (let p = e; p && p !== document.body; p = p.parentElement)
      if (["auto", "scroll", "hidden"].includes(getComputedStyle(p).overflowX)) return false;
    return !e.closest("mjx-assistive-mml");
  });
  if (page.scrollWidth > innerWidth + 1 || wide.length)
    faults.push(`wider than the page: ${page.scrollWidth}, ${wide.slice(0, 2).map(e => e.outerHTML.slice(0, 90))}`);
  for (const image of document.images) {
    if (image.loading === "lazy") continue;
    if (!image.complete || !image.naturalWidth) faults.push(`no picture: ${image.src}`);
  }
  for (const math of document.querySelectorAll(".math"))
    if (!math.querySelector("mjx-container")) faults.push(`no formula: ${math.textContent.slice(0, 60)}`);
  if (document.querySelector("mjx-merror")) faults.push("a formula has an error");
  for (const set of document.querySelectorAll(".sd-tab-set")) {
    const labels = set.querySelectorAll(":scope > label");
    labels[labels.length - 1].click();
    const shown = [...set.querySelectorAll(":scope > .sd-tab-content")].map(c => c.getClientRects().length > 0);
    if (shown.filter(Boolean).length !== 1 || !shown[shown.length - 1]) faults.push("a tab does not switch");
    labels[0].click();
  }
  done(faults);
});
