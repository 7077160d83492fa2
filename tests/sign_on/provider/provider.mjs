// A certified OpenID provider on this machine, for tests: it prints its port, and ends when its input closes.
//
// POST /control changes its people and its keys: {"people": {"anna": {"groups": […]}}}, {"gone": ["anna"]}, {"rotate": true}.

import { createServer } from "node:http";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { Provider, errors } from "oidc-provider";

const people = new Map();
const server = createServer(answer);
let provider;
let issuer;

function newKey() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), kid: randomUUID(), use: "sig", alg: "RS256" };
}

function made(redirects) {
  const found = new Provider(issuer, {
    jwks: { keys: [newKey()] },
    clients: [
      {
        client_id: "callsheet",
        client_secret: "the secret of callsheet",
        redirect_uris: redirects,
        post_logout_redirect_uris: redirects.map((each) => each.replace("x/oidc/callback", "")),
        grant_types: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
        response_types: ["code"],
      },
    ],
    claims: {
      openid: ["sub"],
      profile: ["preferred_username", "given_name", "family_name", "groups"],
      email: ["email", "email_verified"],
    },
    findAccount: (_context, id) => {
      const person = people.get(id);
      return person && { accountId: id, claims: () => ({ sub: id, ...person }) };
    },
    features: { deviceFlow: { enabled: true }, revocation: { enabled: true }, devInteractions: { enabled: true } },
    pkce: { required: () => true },
    cookies: { keys: ["a key of the tests"] },
    issueRefreshToken: (_context, client) => client.grantTypeAllowed("refresh_token"),
    rotateRefreshToken: true,
    ttl: { AccessToken: 3600, AuthorizationCode: 60, IdToken: 3600, DeviceCode: 600, Grant: 86400, Session: 86400, Interaction: 600, RefreshToken: 86400 },
  });
  found.proxy = false;
  return found;
}

async function answer(request, response) {
  if (request.url !== "/control") return provider.callback()(request, response);
  let text = "";
  for await (const piece of request) text += piece;
  const said = JSON.parse(text);
  for (const [id, person] of Object.entries(said.people ?? {})) people.set(id, person);
  for (const id of said.gone ?? []) people.delete(id);
  if (said.redirects || said.rotate) {
    answer.redirects = said.redirects ?? answer.redirects;
    provider = made(answer.redirects);
  }
  response.setHeader("content-type", "application/json").end("{}");
}

server.listen(0, "127.0.0.1", () => {
  const { port } = server.address();
  issuer = `http://127.0.0.1:${port}`;
  answer.redirects = ["http://127.0.0.1:8765/explorer/x/oidc/callback"];
  provider = made(answer.redirects);
  console.log(`port ${port}`);
});
process.stdin.on("close", () => process.exit(0)).resume();
