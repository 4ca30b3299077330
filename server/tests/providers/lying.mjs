// A provider of OpenID Connect that answers as the test demands. The test makes up the code of the callback: base64url
// of JSON with the claims of the ID token and the way to sign it. Prints its issuer, and ends when its standard input
// is closed.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';

const SECRET = 'a secret of the test';
const keys = Object.fromEntries(['published', 'other'].map((name) => [name, generateKeyPairSync('rsa', { modulusLength: 2048 })]));
const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function token({ claims, signed = 'published' }) {
  const alg = { none: 'none', secret: 'HS256' }[signed] ?? 'RS256';
  const text = `${encode({ alg, kid: 'one' })}.${encode(claims)}`;
  if (signed === 'none') return `${text}.`;
  if (signed === 'secret') return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
  return `${text}.${sign('sha256', Buffer.from(text), keys[signed].privateKey).toString('base64url')}`;
}

const server = createServer(async (request, response) => {
  const issuer = `http://${request.headers.host}`;
  const json = (status, value) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
  const metadata = (at) => ({
    issuer: at,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/keys`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
  });
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  switch (new URL(request.url, issuer).pathname) {
    case '/.well-known/openid-configuration':
      return json(200, metadata(issuer));
    case '/other/.well-known/openid-configuration':
      return json(200, metadata(issuer));
    case '/large/.well-known/openid-configuration':
      return json(200, { ...metadata(`${issuer}/large`), filler: 'x'.repeat(2 * 1024 * 1024) });
    case '/moved/.well-known/openid-configuration':
      return response.writeHead(302, { location: '/.well-known/openid-configuration' }).end();
    case '/keys':
      return json(200, { keys: [{ ...keys.published.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] });
    case '/token': {
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      if (!form.get('code_verifier')) return json(400, { error: 'invalid_request' });
      const demanded = JSON.parse(Buffer.from(form.get('code'), 'base64url').toString());
      if (demanded.refusal) return json(400, demanded.refusal);
      return json(200, { access_token: 'x', token_type: 'Bearer', id_token: token(demanded) });
    }
    default:
      return json(404, {});
  }
});
server.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on('end', () => process.exit()).resume();
