// A real OpenID Connect provider (oidc-provider, certified) on a free port, for one test. Prints its address.
import http from 'node:http';
import { Provider } from 'oidc-provider';

const [back] = process.argv.slice(2);
const listening = http.createServer();
listening.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${listening.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'hexward',
        client_secret: 'a secret with: signs/&',
        redirect_uris: [back],
        grant_types: ['authorization_code'],
        response_types: ['code'],
      },
    ],
    claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'groups'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    cookies: { keys: ['only for a test'] },
    // Whoever the form names: the account before a colon, its groups after it.
    findAccount: (_, id) => {
      const [name, ...groups] = id.split(':');
      return { accountId: id, claims: () => ({ sub: id, name, preferred_username: name, groups }) };
    },
  });
  provider.on('server_error', (_, error) => console.error(error));
  const answer = provider.callback();
  listening.on('request', (request, response) => void answer(request, response));
  console.log(issuer);
});
