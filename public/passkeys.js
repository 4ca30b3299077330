// Hands the server's options to the browser's authenticators, and their answers back as JSON. The page fetches this
// module when somebody first uses a passkey, and on the sign-in page after its start. The conversion is done here,
// because browsers before 2025 do not convert JSON themselves. A failure rejects with the name of its error.

// The call that waits for an authenticator. Browsers allow only one.
let waiting;

function bytes(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (char) => char.charCodeAt(0));
}

function base64url(buffer) {
  const text = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function read(json) {
  const options = JSON.parse(json);
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const known of [...(options.excludeCredentials ?? []), ...(options.allowCredentials ?? [])]) known.id = bytes(known.id);
  return options;
}

function write({ id, rawId, type, response }) {
  const answer = { id, rawId: base64url(rawId), type, response: {} };
  for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[part]) answer.response[part] = base64url(response[part]);
  }
  return JSON.stringify(answer);
}

async function call(method, json, mediation) {
  waiting?.abort();
  const own = new AbortController();
  waiting = own;
  try {
    const credential = await navigator.credentials[method]({ publicKey: read(json), signal: own.signal, ...mediation });
    return write(credential);
  } catch (error) {
    throw error.name;
  }
}

globalThis.duetPasskeys = {
  create: (json) => call("create", json),
  get: (json) => call("get", json),
  // Offers passkeys in the field for the username.
  fill: (json) => call("get", json, { mediation: "conditional" }),
};
