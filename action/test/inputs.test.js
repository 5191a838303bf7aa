import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { OF_THE_ROLE, readInputs } from '../src/inputs.js';

/** The least that a step gives, with the defaults of action.yml. */
const LEAST = {
  'vault-address': 'https://vault.example:8200',
  'auth-path': 'jwt',
  'auth-role': 'ci',
  audience: 'vault',
  'present-id-token': 'true',
  mount: 'github',
  role: 'api-read',
  repositories: OF_THE_ROLE,
  permissions: OF_THE_ROLE,
  ttl: OF_THE_ROLE,
  'configure-git': 'false',
};

/** The inputs as the runner hands them over. */
function read(inputs) {
  const given = Object.entries({ ...LEAST, ...inputs });
  return readInputs(Object.fromEntries(given.map(([name, value]) => [`INPUT_${name.toUpperCase()}`, value])));
}

test('what was left out is undefined, and so not sent', () => {
  assert.deepEqual(read({}), {
    vaultAddress: 'https://vault.example:8200',
    vaultNamespace: undefined,
    vaultCa: undefined,
    authPath: 'jwt',
    authRole: 'ci',
    audience: 'vault',
    presentIdToken: true,
    mount: 'github',
    role: 'api-read',
    repositories: undefined,
    permissions: undefined,
    ttl: undefined,
    configureGit: false,
  });
});

describe('inputs are read', () => {
  for (const { name, text, value } of [
    { name: 'vault-address', text: 'https://vault.example', value: 'https://vault.example' },
    { name: 'vault-address', text: 'https://vault.example:8200/', value: 'https://vault.example:8200' },
    { name: 'vault-address', text: ' http://127.0.0.1:8200\n', value: 'http://127.0.0.1:8200' },
    { name: 'vault-address', text: 'http://localhost:8200', value: 'http://localhost:8200' },
    { name: 'vault-address', text: 'http://[::1]:8200', value: 'http://[::1]:8200' },
    { name: 'vault-namespace', text: 'teams/ci/', value: 'teams/ci' },
    { name: 'mount', text: 'apps/github-app-release', value: 'apps/github-app-release' },
    { name: 'repositories', text: 'api', value: ['api'] },
    { name: 'repositories', text: 'api, web\n  .github\n\n', value: ['api', 'web', '.github'] },
    { name: 'repositories', text: 'acme/api', value: ['acme/api'] },
    { name: 'permissions', text: 'contents=read', value: { contents: 'read' } },
    { name: 'permissions', text: 'contents=write,issues=read\npull-requests=write', value: { contents: 'write', issues: 'read', 'pull-requests': 'write' } },
    { name: 'ttl', text: '600', value: '600' },
    { name: 'ttl', text: '1h30m', value: '1h30m' },
    { name: 'configure-git', text: 'true', value: true },
  ]) {
    test(`${name}: ${JSON.stringify(text)}`, () => {
      const key = name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
      assert.deepEqual(read({ [name]: text })[key], value);
    });
  }
});

describe('wrong inputs are refused with a sentence', () => {
  for (const { name, text, says } of [
    { name: 'permision', text: 'contents=read', says: /unknown input "permision": this action takes vault-address, .*, configure-git\./ },
    { name: 'vault-address', text: '', says: /it is empty/ },
    { name: 'vault-address', text: 'vault.example:8200', says: /is not the URL of a Vault/ },
    { name: 'vault-address', text: 'ftp://vault.example', says: /is not the URL of a Vault/ },
    { name: 'vault-address', text: 'http://vault.example:8200', says: /in the clear; give https:\/\/vault\.example:8200/ },
    { name: 'vault-address', text: 'http://127.0.0.1.evil.example', says: /in the clear/ },
    { name: 'vault-address', text: 'https://job:secret@vault.example', says: /user or password; give the address alone$/ },
    { name: 'vault-address', text: 'https://vault.example/v1', says: /more than a host and port; give https:\/\/vault\.example$/ },
    { name: 'vault-address', text: 'https://vault.example?x=1', says: /more than a host and port/ },
    { name: 'vault-address', text: 'https://vault.example/#x', says: /more than a host and port/ },
    { name: 'vault-namespace', text: 'teams ci', says: /is not a path in Vault/ },
    { name: 'vault-namespace', text: 'a\r\nX-Vault-Token: b', says: /is not a path in Vault/ },
    { name: 'vault-ca', text: '/nowhere.pem', says: /neither a certificate in PEM nor a file that can be read \(ENOENT\)/ },
    { name: 'vault-ca', text: '-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----', says: /holds no certificate/ },
    { name: 'vault-ca', text: '-----BEGIN CERTIFICATE-----\nMC4=\n-----END CERTIFICATE-----', says: /certificate 1 in it is broken/ },
    { name: 'auth-path', text: '', says: /it is empty/ },
    { name: 'auth-path', text: '../sys', says: /is not a path in Vault/ },
    { name: 'auth-path', text: './jwt', says: /is not a path in Vault/ },
    { name: 'auth-path', text: 'jwt//x', says: /is not a path in Vault/ },
    { name: 'auth-role', text: 'a b', says: /is not a name/ },
    { name: 'audience', text: '', says: /it is empty/ },
    { name: 'audience', text: 'a\nb', says: /line break/ },
    { name: 'present-id-token', text: 'yes', says: /it is "yes"; give true or false/ },
    { name: 'mount', text: 'github?list=true', says: /is not a path in Vault/ },
    { name: 'role', text: 'a/b', says: /is not a name/ },
    { name: 'role', text: '..', says: /is not a name/ },
    { name: 'repositories', text: '', says: /it is empty, which would ask for all that the role allows/ },
    { name: 'repositories', text: ' \n', says: /it is empty/ },
    { name: 'repositories', text: 'api,,web', says: /it has an empty item/ },
    { name: 'repositories', text: ',', says: /it has an empty item/ },
    { name: 'repositories', text: '["api"]', says: /it is JSON/ },
    { name: 'repositories', text: 'https://github.com/acme/api', says: /is not the name of a repository/ },
    { name: 'permissions', text: '', says: /it is empty/ },
    { name: 'permissions', text: '{"contents":"read"}', says: /it is JSON/ },
    { name: 'permissions', text: 'contents: read', says: /"contents: read" is not NAME=LEVEL/ },
    { name: 'permissions', text: 'contents', says: /is not NAME=LEVEL/ },
    { name: 'permissions', text: 'contents=all', says: /is not NAME=LEVEL/ },
    { name: 'permissions', text: 'contents=read,contents=write', says: /it has contents twice/ },
    { name: 'ttl', text: '', says: /it is empty/ },
    { name: 'ttl', text: '0', says: /is not a duration/ },
    { name: 'ttl', text: '0m', says: /is not a duration/ },
    { name: 'ttl', text: '-5m', says: /is not a duration/ },
    { name: 'ttl', text: '500ms', says: /is not a duration/ },
    { name: 'ttl', text: 'soon', says: /is not a duration/ },
    { name: 'configure-git', text: '', says: /it is empty/ },
  ]) {
    test(`${name}: ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => read({ [name]: text }),
        ({ title, message }) => title === 'Wrong input' && message.includes(name) && says.test(message) && !message.includes('secret'),
      );
    });
  }
});

test('permissions named like a property of every object are permissions', () => {
  assert.deepEqual(Object.keys(read({ permissions: 'constructor=read' }).permissions), ['constructor']);
  assert.deepEqual(Object.keys(read({ permissions: '__proto__=read' }).permissions), ['__proto__']);
});

describe('vault-ca', () => {
  let directory;
  let pem;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), 'inputs-'));
    const options = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=ca', '-keyout', '/dev/null'];
    const file = join(directory, 'ca.pem');
    execFileSync('openssl', ['req', '-x509', ...options, '-out', file], { stdio: 'ignore' });
    pem = readFileSync(file, 'utf8').trim();
  });
  after(() => rmSync(directory, { recursive: true }));

  test('is a certificate', () => assert.equal(read({ 'vault-ca': pem }).vaultCa, pem));

  test('is a file of certificates, of which nothing but they is taken', () => {
    const file = join(directory, 'bundle.pem');
    writeFileSync(file, `# ours\n${pem}\n# theirs\n${pem}\n`);
    assert.equal(read({ 'vault-ca': file }).vaultCa, `${pem}\n${pem}`);
  });
});
