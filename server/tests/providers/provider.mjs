// A real provider of OpenID Connect for the tests: the npm package oidc-provider with its development forms. Takes the
// settings as JSON in the first argument, prints its issuer, and ends when its standard input is closed.
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const { redirect, path = '' } = JSON.parse(process.argv[2]);
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}${path}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'duet', client_secret: 'a secret of the test', redirect_uris: [redirect] }],
    claims: { openid: ['sub'], profile: ['preferred_username'] },
    findAccount: (_context, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: `${id}@example.org` }),
    }),
    pkce: { required: () => true },
  });
  const answer = provider.callback();
  server.on('request', (request, response) => {
    if (!request.url.startsWith(`${path}/`)) {
      response.writeHead(404).end();
      return;
    }
    // As a router does that mounts the provider below a path.
    request.originalUrl = request.url;
    request.url = request.url.slice(path.length);
    answer(request, response);
  });
  console.log(issuer);
});
process.stdin.on('end', () => process.exit()).resume();
