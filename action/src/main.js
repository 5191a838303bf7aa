// The step: the job's identity for a Vault token, and that for a GitHub token.

import { Failure } from './failure.js';
import * as git from './git.js';
import { requestIDToken } from './idtoken.js';
import { readInputs } from './inputs.js';
import { loginFailure, mintFailure } from './remedy.js';
import { Runner } from './runner.js';
import { Vault } from './vault.js';

/** As Vault's client has it; and no retry begins after a minute. */
const LIMITS = { timeout: 60_000, patience: 60_000 };

/**
 * Every secret is masked before anything else is done with it, and what post must
 * end is in the state as soon as it exists: the job may be cancelled at any time.
 */
async function main(runner) {
  const inputs = readInputs(runner.env);
  const log = (message) => runner.info(message);

  const idToken = await requestIDToken(runner.env, inputs.audience, log);
  runner.mask(idToken);

  const connection = { address: inputs.vaultAddress, namespace: inputs.vaultNamespace, ca: inputs.vaultCa };
  const vault = new Vault(connection, LIMITS, log);
  const login = await logIn(vault, inputs, idToken);
  runner.mask(login.token);
  runner.saveState('connection', JSON.stringify(connection));
  runner.saveState('vault-token', login.token);

  const issued = await mint(vault, inputs, idToken, login.token);
  runner.mask(issued.token);
  runner.saveState('lease-id', issued.leaseID);

  if (inputs.configureGit) {
    configureGit(runner, issued.token);
  }
  announce(runner, issued, Math.min(issued.expires, login.expires));
}

async function logIn(vault, inputs, idToken) {
  try {
    return await vault.login(inputs.authPath, inputs.authRole, idToken);
  } catch (error) {
    throw loginFailure(error, inputs);
  }
}

/** Sends only what was given: what is left out is the role's. */
async function mint(vault, inputs, idToken, vaultToken) {
  const { mount, role, repositories, permissions, ttl } = inputs;
  const parameters = { repositories, permissions, ttl, id_token: inputs.presentIdToken ? idToken : undefined };
  try {
    return await vault.mint(mount, role, parameters, vaultToken);
  } catch (error) {
    throw mintFailure(error, inputs);
  }
}

function configureGit(runner, token) {
  const directory = git.makeDirectory(runner.env);
  runner.saveState('git-directory', directory);
  for (const [name, value] of Object.entries(git.configure(directory, token, runner.env))) {
    runner.exportVariable(name, value);
  }
}

/** A lease ends with the Vault token that it was made with. */
function announce(runner, issued, expires) {
  const expiresAt = new Date(expires).toISOString().replace(/\.\d+Z$/, 'Z');
  runner.setOutput('token', issued.token);
  runner.setOutput('expires-at', expiresAt);
  runner.setOutput('scope', issued.scope);
  runner.info(`A token for ${issued.scope}, until ${expiresAt}`);
}

const runner = new Runner(process.env, console.log);
try {
  await main(runner);
} catch (error) {
  process.exitCode = 1;
  if (error instanceof Failure) {
    runner.error(error.title, error.message);
  } else {
    runner.error('This action failed', error.message);
    runner.debug(error.stack);
  }
}
