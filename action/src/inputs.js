// The inputs of the step, held to their form before anything is sent anywhere. An
// input that is misspelt or empty must not widen the token.

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { Failure } from './failure.js';

/**
 * The default, in action.yml, of what narrows a token. The runner does not tell
 * an input that was left out from one that is empty; with this it does, and
 * `repositories: ${{ vars.REPOSITORIES }}` without such a variable is refused.
 */
export const OF_THE_ROLE = '(of the role)';

/** Every input of action.yml, and how it is read. */
const PARSERS = {
  'vault-address': required(parseAddress),
  'vault-namespace': optional(parsePath),
  'vault-ca': optional(parseCA),
  'auth-path': required(parsePath),
  'auth-role': required(parseName),
  audience: required(parseText),
  'present-id-token': required(parseBoolean),
  mount: required(parsePath),
  role: required(parseName),
  repositories: unlessOfTheRole(parseRepositories),
  permissions: unlessOfTheRole(parsePermissions),
  ttl: unlessOfTheRole(parseTTL),
  'configure-git': required(parseBoolean),
};

/** The names of the inputs, as in action.yml. */
export const INPUT_NAMES = Object.keys(PARSERS);

const PREFIX = 'INPUT_';

/**
 * Reads the inputs from the environment. What was left out is undefined; the
 * names are in camel case.
 *
 * @param {NodeJS.ProcessEnv} env
 * @throws {Failure} that names the first input that is wrong
 */
export function readInputs(env) {
  refuseUnknown(env);
  return Object.fromEntries(
    Object.entries(PARSERS).map(([name, parse]) => [camelCase(name), parseInput(name, parse, env)]),
  );
}

function parseInput(name, parse, env) {
  try {
    return parse((env[PREFIX + name.toUpperCase()] ?? '').trim());
  } catch (error) {
    throw invalid(`${name}: ${error.message}`);
  }
}

function refuseUnknown(env) {
  for (const variable of Object.keys(env).filter((key) => key.startsWith(PREFIX))) {
    const name = variable.slice(PREFIX.length).toLowerCase();
    if (!INPUT_NAMES.includes(name)) {
      throw invalid(
        `unknown input ${quote(name)}: this action takes ${INPUT_NAMES.join(', ')}. ` +
          `(If the workflow itself sets ${variable} in its env, give it a name that does not begin with ${PREFIX}.)`,
      );
    }
  }
}

function invalid(message) {
  return new Failure('Wrong input', message);
}

function camelCase(name) {
  return name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
}

function required(parse) {
  return (text) => {
    if (text === '') {
      throw new Error('it is empty; give a value');
    }
    return parse(text);
  };
}

function optional(parse) {
  return (text) => (text === '' ? undefined : parse(text));
}

function unlessOfTheRole(parse) {
  return (text) => {
    if (text === '') {
      throw new Error('it is empty, which would ask for all that the role allows; leave it out if that is meant');
    }
    return text === OF_THE_ROLE ? undefined : parse(text);
  };
}

/** The address is where secrets go: its host and nothing else, by TLS. */
function parseAddress(text) {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new Error(`${quote(text)} is not the URL of a Vault, like https://vault.example:8200`);
  }
  if (url.username || url.password) {
    throw new Error('it holds a user or password; give the address alone');
  }
  if (url.pathname !== '/' || url.search || url.hash) {
    throw new Error(`${quote(text)} has more than a host and port; give ${url.origin}`);
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new Error(`${quote(text)} would send the job's identity in the clear; give https://${url.host}`);
  }
  return url.origin;
}

function isLoopback(hostname) {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** A path of Vault's: a mount, or a namespace. */
function parsePath(text) {
  const segments = text.replace(/\/$/, '').split('/');
  if (!segments.every(isName)) {
    throw new Error(`${quote(text)} is not a path in Vault, of letters, digits, "_", "-", "." and "/" between them`);
  }
  return segments.join('/');
}

function parseName(text) {
  if (!isName(text)) {
    throw new Error(`${quote(text)} is not a name, of letters, digits, "_", "-" and "."`);
  }
  return text;
}

/** A segment of a URL's path that stays the segment that it is. */
function isName(text) {
  return /^[\w.-]+$/.test(text) && !text.includes('..') && text !== '.';
}

function parseText(text) {
  if (/\p{Cc}/u.test(text)) {
    throw new Error('it has a line break or another control character');
  }
  return text;
}

function parseBoolean(text) {
  if (text !== 'true' && text !== 'false') {
    throw new Error(`it is ${quote(text)}; give true or false`);
  }
  return text === 'true';
}

/** Certificates in PEM, or the file that holds them. */
function parseCA(text) {
  const pem = text.includes('-----BEGIN') ? text : readFile(text);
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs) ?? [];
  if (certificates.length === 0) {
    throw new Error('it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)');
  }
  certificates.forEach(checkCertificate);
  return certificates.join('\n');
}

function readFile(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new Error(`it is neither a certificate in PEM nor a file that can be read (${error.code})`);
  }
}

function checkCertificate(pem, index) {
  try {
    new X509Certificate(pem);
  } catch {
    throw new Error(`certificate ${index + 1} in it is broken`);
  }
}

function parseRepositories(text) {
  const names = parseItems(text);
  for (const name of names) {
    if (!/^([\w.-]+\/)?[\w.-]+$/.test(name)) {
      throw new Error(`${quote(name)} is not the name of a repository; write one a line`);
    }
  }
  return names;
}

function parsePermissions(text) {
  const permissions = new Map();
  for (const item of parseItems(text)) {
    const [, name, level] = /^(\w[\w-]*)=(read|write|admin)$/.exec(item) ?? [];
    if (!name) {
      throw new Error(`${quote(item)} is not NAME=LEVEL with the level read, write or admin, e.g. contents=read`);
    }
    if (permissions.has(name)) {
      throw new Error(`it has ${name} twice`);
    }
    permissions.set(name, level);
  }
  return Object.fromEntries(permissions);
}

/** The items of a list, one a line or with commas between them. */
function parseItems(text) {
  if (/^[[{]/.test(text)) {
    throw new Error('it is JSON; write one item a line');
  }
  const lines = text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
  const items = lines.flatMap((line) => line.split(',')).map((item) => item.trim());
  if (items.includes('')) {
    throw new Error('it has an empty item; is there a comma too many, or an expression that gives nothing?');
  }
  return items;
}

/** A duration goes to Vault as it is written. */
function parseTTL(text) {
  if (!/^(\d+|(\d+h)?(\d+m)?(\d+s)?)$/.test(text) || !/[1-9]/.test(text)) {
    throw new Error(`${quote(text)} is not a duration; give seconds (600) or e.g. 10m`);
  }
  return text;
}

function quote(text) {
  return JSON.stringify(text);
}
