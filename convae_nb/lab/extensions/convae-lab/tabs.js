// A prebuilt extension of JupyterLab, written as a bundler would: a container under its name, which gives the plugin. package.json
// turns off what asks for news and updates: JupyterLab asks even where LabApp.news_url is None.
window._JUPYTERLAB ??= {};
window._JUPYTERLAB["convae-lab"] = {
    init() {}, // takes none of JupyterLab's modules
    async get() {
        return () => ({
            id: "convae-lab:tabs",
            description: "Makes a tab as wide as its name, while there is room.",
            autoStart: true,
            activate() {
                // Else 216 pixels, in which some fonts cut 07_around_the_code.ipynb off.
                document.documentElement.style.setProperty("--jp-private-horizontal-tab-width", "auto");
            },
        });
    },
};
