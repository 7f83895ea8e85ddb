// Signs up, in and out. The session is a cookie that this script never sees.

const of = (id) => document.getElementById(id);

async function send(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: body ? { "content-type": "application/json" } : {},
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, ok: answer.ok, body: text ? JSON.parse(text) : null };
}

function say(text) {
  of("status").textContent = text;
}

function show(account) {
  for (const id of ["sign-in", "sign-up"]) of(id).hidden = Boolean(account);
  of("account").hidden = !account;
  for (const key of ["name", "email", "role"]) of(key).textContent = account?.[key] ?? "";
}

function explain({ body }) {
  const fields = (body?.errors ?? []).map((error) => `${error.pointer.slice(1)} ${error.message}`);
  say(fields.join("; ") || body?.detail || "something went wrong");
}

async function refresh() {
  const me = await send("GET", "/accounts/me");
  show(me.ok ? me.body : null);
  say(me.ok ? `Signed in as ${me.body.name}.` : "Nobody is signed in.");
}

async function signIn(form) {
  const answer = await send("POST", "/accounts/sign-in", { email: form.get("email"), password: form.get("password") });
  return answer.ok ? refresh() : explain(answer);
}

of("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn(new FormData(event.target));
});

of("sign-up").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const answer = await send("POST", "/accounts/sign-up", Object.fromEntries(form));
  return answer.ok ? signIn(form) : explain(answer);
});

of("sign-out").addEventListener("click", async () => {
  await send("POST", "/accounts/sign-out");
  await refresh();
});

refresh();
