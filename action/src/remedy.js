// What helps against what Vault and the engine answer. Their own words come
// first; they know more.

import { Failure } from './failure.js';

/** What Vault says if no policy allows a request, or there is no such path. */
const ACL_DENIAL = 'permission denied';

/** @returns {Failure} of a login */
export function loginFailure(error, { authPath, authRole, audience }) {
  return failure('Vault did not let this job log in', error, (status, words) => {
    if (status === 403 && words === ACL_DENIAL) {
      return `Is a JWT auth method mounted at auth/${authPath}/, in this vault-namespace?`;
    }
    if (status === 400 || status === 403) {
      const audienceSeen = `The job's ID token is for the audience "${audience}".`;
      return `Compare the role with this job: vault read auth/${authPath}/role/${authRole}. ${audienceSeen}`;
    }
    return commonRemedy(status);
  });
}

/** @returns {Failure} of a request for a token */
export function mintFailure(error, { mount, role, authRole, presentIdToken }) {
  return failure(`No token of the role ${role}`, error, (status, words) => {
    if (status === 403 && words === ACL_DENIAL) {
      return `A policy of the JWT role ${authRole} must allow update on ${mount}/token/${role}.`;
    }
    if (status === 403 && !presentIdToken) {
      return 'The engine saw no ID token, because of present-id-token: false.';
    }
    if (status === 403) {
      return `As this job, vault write ${mount}/check/${role} id_token=… shows every rule.`;
    }
    if (status === 404) {
      return `Is the engine mounted at ${mount}/, in this vault-namespace?`;
    }
    if (status === 400 && /\bissuer\b/.test(words)) {
      return 'If the engine is not to verify ID tokens, set present-id-token: false.';
    }
    if (status === 424) {
      return 'This is not repeated by itself. Run the job again when the cause is known.';
    }
    return commonRemedy(status);
  });
}

function commonRemedy(status) {
  if (status === 429) {
    return 'Run the job again later; fewer jobs at once, or tokens for longer, need fewer requests.';
  }
  if (status === 404) {
    return 'Is vault-address the address of a Vault?';
  }
  const later = 'Run the job again later; if it stays so, the log of Vault says more to its administrator.';
  return status >= 500 ? later : '';
}

function failure(title, error, remedyFor) {
  const remedy = error.status ? remedyFor(error.status, error.words) : connectionRemedy(error.code);
  const wait = error.retryAfter === undefined ? '' : ` (Retry-After: ${error.retryAfter} s)`;
  return new Failure(title, [error.message + wait, remedy].filter(Boolean).join('\n'));
}

function connectionRemedy(code) {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return "Give the name in vault-address for which Vault's certificate was made.";
  }
  if (/CERT|SIGNATURE|^ERR_TLS|^ERR_SSL/.test(code)) {
    return "If an authority of your own signed Vault's certificate, give its certificate in vault-ca.";
  }
  return code ? 'Is vault-address right, and does this runner reach it?' : '';
}
