// For those who hear a page, what the theme and Sphinx leave out: the sidebar is a landmark, its toggles have names, and references no false role.
const chinese = document.documentElement.lang === "zh-CN";
const sidebar = document.querySelector(".bd-sidebar-primary");
sidebar.setAttribute("role", "complementary");
sidebar.setAttribute("aria-label", chinese ? "本书" : "Book");
for (const toggle of sidebar.querySelectorAll("summary")) {
  const title = toggle.closest("li").querySelector("a").textContent.trim();
  toggle.setAttribute("aria-label", chinese ? `“${title}”的各页` : `Pages of ${title}`);
}
// What the theme says in English whatever the page's language, and what it says in the Chinese of other places.
const words = {
  Main: "全书目录",
  Page: "本页目录",
  "Toggle primary sidebar": "显示或隐藏全书目录",
  "Toggle secondary sidebar": "显示或隐藏本页目录",
  "列印成 PDF": "打印成 PDF",
};
for (const element of chinese ? document.querySelectorAll("[title], [aria-label]") : []) {
  for (const attribute of ["title", "aria-label"]) {
    const word = words[element.getAttribute(attribute)];
    if (word) element.setAttribute(attribute, word);
  }
}
// Names in the heads of tables, and calls in their cells, may break where a reader would break them.
for (const words of document.querySelectorAll("table.dataframe th, td code .pre")) {
  words.innerHTML = words.innerHTML.replace(/\.(?=[A-Za-z])|_/g, "$&<wbr>");
}
for (const reference of document.querySelectorAll(".citation-list, .citation")) {
  reference.removeAttribute("role");
}
// What is set on a live page goes with the reader to the other language.
for (const link of document.querySelectorAll("a.convae-language")) {
  link.addEventListener("click", () => { link.hash = globalThis.convae?.fragment() ?? ""; });
}
