// For those who hear a page, what the theme and Sphinx leave out: the sidebar is a landmark, its toggles have names, and references no false role.
const sidebar = document.querySelector(".bd-sidebar-primary");
sidebar.setAttribute("role", "complementary");
sidebar.setAttribute("aria-label", "Book");
for (const toggle of sidebar.querySelectorAll("summary")) {
  toggle.setAttribute("aria-label", `Pages of ${toggle.closest("li").querySelector("a").textContent.trim()}`);
}
// Names in the heads of tables, and calls in their cells, may break where a reader would break them.
for (const words of document.querySelectorAll("table.dataframe th, td code .pre")) {
  words.innerHTML = words.innerHTML.replace(/\.(?=[A-Za-z])|_/g, "$&<wbr>");
}
for (const reference of document.querySelectorAll(".citation-list, .citation")) {
  reference.removeAttribute("role");
}
