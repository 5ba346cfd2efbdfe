import { describeCredentials } from './credentials-cases.ts';
import { staticCredentials } from './static-credentials.ts';
import { rotatingCredentials } from './testing/rotating-credentials.ts';

const server = { name: 's', url: 'https://s.example/mcp', headers: Object.freeze({ 'X-Api-Key': 'k', other: '1' }) };

describeCredentials('headers of the configuration', () => ({
  credentials: staticCredentials,
  server,
  perPrincipal: false,
  after401: 'give-up',
}));

describeCredentials('a vault of tokens', () => ({
  credentials: rotatingCredentials(),
  server,
  perPrincipal: true,
  after401: 'retry',
}));
