// The demonstration's provider of identities: oidc-provider with people whose passwords are shown.
// Never for production. Usage: node provider.mjs SETTINGS.json FOLDER_OF_NODE_MODULES
import { generateKeyPairSync, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [settingsFile, modules] = process.argv.slice(2);
const settings = JSON.parse(readFileSync(settingsFile, 'utf8'));
const library = pathToFileURL(join(modules, 'oidc-provider', 'lib', 'index.js'));
const { default: Provider, interactionPolicy } = await import(library);

const { issuer, port, audience, web, app, people } = settings;
const byName = new Map(people.map((person) => [person.username, person]));
const bySubject = new Map(people.map((person) => [person.subject, person]));
const wantsSecondFactor = (params) => (params.acr_values ?? '').split(' ').includes('mfa');

// Voluntary acr_values (OpenID Connect Core 1.0, 3.1.2.1) prompt for the second factor only here.
const policy = interactionPolicy.base();
policy.get('login').checks.add(new interactionPolicy.Check(
  'second_factor', 'a second factor is asked for',
  ({ oidc }) => wantsSecondFactor(oidc.params) && oidc.session.acr !== 'mfa',
));

// Both clients are our own: nobody is asked for consent, also where the program is native.
policy.get('consent').checks.remove('native_client_prompt');

const provider = new Provider(issuer, {
  jwks: {
    keys: [{
      ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
      use: 'sig', alg: 'ES256',
    }],
  },
  clients: [
    {
      client_id: web.client_id, client_secret: web.client_secret,
      redirect_uris: [web.redirect_uri], post_logout_redirect_uris: [web.after_logout],
      grant_types: ['authorization_code'], response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
    },
    {
      // For programs of people: access tokens for the API.
      client_id: app.client_id, token_endpoint_auth_method: 'none', application_type: 'native',
      redirect_uris: [app.redirect_uri],
      grant_types: ['authorization_code'], response_types: ['code'],
      id_token_signed_response_alg: 'ES256',
    },
  ],
  cookies: { keys: [settings.cookie_key] },
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], acr: null, amr: null, auth_time: null },
  acrValues: ['pwd', 'mfa'],
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(_ctx, resource) {
        if (resource !== audience) throw new Error('unknown resource');
        return { scope: 'amply', audience, accessTokenFormat: 'jwt', accessTokenTTL: 300, jwt: { sign: { alg: 'ES256' } } };
      },
    },
  },
  extraTokenClaims({ oidc }) {
    const code = oidc.entities.AuthorizationCode;
    return code && { acr: code.acr, amr: code.amr, auth_time: code.authTime };
  },
  findAccount(_ctx, subject) {
    const person = bySubject.get(subject);
    return person && {
      accountId: subject,
      claims: () => ({ sub: subject, name: person.name, email: person.email, email_verified: true }),
    };
  },
  async loadExistingGrant({ oidc }) {
    const { clientId } = oidc.client;
    const known = oidc.session.grantIdFor(clientId);
    if (known) return provider.Grant.find(known);
    const grant = new provider.Grant({ clientId, accountId: oidc.session.accountId });
    grant.addOIDCScope('openid profile email');
    grant.addResourceScope(audience, 'amply');
    await grant.save();
    return grant;
  },
  interactions: { policy, url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
});

const equal = (left, right) => {
  const [one, two] = [Buffer.from(left), Buffer.from(right)];
  return one.length === two.length && timingSafeEqual(one, two);
};
const escape = (text) => text.replace(/[&<>"]/g, (one) => `&#${one.charCodeAt(0)};`);

function page(asked, problem = '') {
  const fields = [];
  if (asked.password) {
    fields.push('<label>Name <input name="username" autofocus autocomplete="username"></label>',
      '<label>Password <input name="password" type="password" autocomplete="current-password"></label>');
  }
  if (asked.code) {
    fields.push('<label>Code of your second factor <input name="code" inputmode="numeric" autocomplete="one-time-code"></label>');
  }
  return `<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in</title><style>body{font:1rem system-ui;max-width:20rem;margin:4rem auto}label,input,button{display:block;width:100%;margin:.5rem 0}</style>
<h1>Sign in</h1><p>A demonstration: names, passwords and codes were shown when it was started.</p>
<p role="alert">${escape(problem)}</p><form method="post">${fields.join('\n')}<button>Continue</button></form>`;
}

async function body(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 10_000) throw new Error('too large');
  }
  return new URLSearchParams(text);
}

async function interact(request, response) {
  const { params, session } = await provider.interactionDetails(request, response);
  const known = session && bySubject.get(session.accountId);
  const code = wantsSecondFactor(params);
  const asked = { password: !(known && code), code };
  const show = (status, problem) => {
    response.writeHead(status, {
      'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store',
      'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    });
    response.end(page(asked, problem));
  };
  if (request.method !== 'POST') { show(200); return; }
  const form = await body(request);
  const person = asked.password ? byName.get(form.get('username') ?? '') : known;
  const isRight = person !== undefined
    && (!asked.password || equal(form.get('password') ?? '', person.password))
    && (!asked.code || equal((form.get('code') ?? '').replaceAll(' ', ''), person.code));
  if (!isRight) { show(403, 'That is not right. Try again.'); return; }
  const login = {
    accountId: person.subject, acr: code ? 'mfa' : 'pwd', amr: code ? ['pwd', 'mfa'] : ['pwd'],
    remember: true, ts: Math.floor(Date.now() / 1000),
  };
  await provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
}

const others = provider.callback();
const server = createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) { others(request, response); return; }
  interact(request, response).catch(() => {
    if (!response.headersSent) response.writeHead(400, { 'Content-Type': 'text/plain' });
    response.end('This sign-in is over. Begin again.\n');
  });
});
server.listen(port, '127.0.0.1', () => console.log(`serving ${issuer}`));
const stop = () => { server.close(() => process.exit(0)); server.closeAllConnections(); };
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
