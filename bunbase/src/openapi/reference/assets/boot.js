// Starts the reference on the document that the page names. A file of its own: the page's policy allows no inline script.
const place = document.getElementById("reference");
Scalar.createApiReference(place, {
  url: place.dataset.document,
  // Nothing may be asked of another host, or lead a reader there.
  withDefaultFonts: false,
  telemetry: false,
  agent: { disabled: true },
  showDeveloperTools: "never",
  hideClientButton: true,
  customCss: 'a[href="https://www.scalar.com"] { display: none }',
  // Secrets typed into the page are gone when it is closed.
  persistAuth: false,
  defaultHttpClient: { targetKey: "shell", clientKey: "curl" },
});
