// For those who hear a page, what the theme and Sphinx leave out: the sidebar is a landmark, its toggles have names, and references no false role.
const sidebar = document.querySelector(".bd-sidebar-primary");
sidebar.setAttribute("role", "complementary");
sidebar.setAttribute("aria-label", "Book");
for (const toggle of sidebar.querySelectorAll("summary")) {
  toggle.setAttribute("aria-label", `Pages of ${toggle.closest("li").querySelector("a").textContent.trim()}`);
}
for (const reference of document.querySelectorAll(".citation-list, .citation")) {
  reference.removeAttribute("role");
}
