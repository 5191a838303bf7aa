// src/failure.js
var Failure = class extends Error {
  /**
   * @param {string} title what could not be done
   * @param {string} message why, and what helps
   */
  constructor(title, message) {
    super(message);
    this.title = title;
  }
};

// src/git.js
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
function makeDirectory(env) {
  return mkdtempSync(join(env.RUNNER_TEMP, "vault-github-"));
}
function configure(directory, token, env) {
  const credential = write(directory, "credential", `username=x-access-token
password=${token}
`);
  const config = write(directory, "config", configuration(new URL(env.GITHUB_SERVER_URL), credential));
  return include(config, env);
}
function write(directory, name, content) {
  const path = join(directory, name);
  writeFileSync(path, content, { mode: 384 });
  return path.replaceAll("\\", "/");
}
function configuration(server, credential) {
  const helper = `!f() { test "$1" = get && cat ${shellQuote(credential)}; }; f`;
  return `[credential ${quote(server.origin)}]
	helper =
	helper = ${quote(helper)}
[url ${quote(`${server.origin}/`)}]
	insteadOf = ${quote(`git@${server.hostname}:`)}
	insteadOf = ${quote(`ssh://git@${server.hostname}/`)}
`;
}
function include(config, env) {
  const count = Number(env.GIT_CONFIG_COUNT ?? 0);
  return {
    GIT_CONFIG_COUNT: String(count + 1),
    [`GIT_CONFIG_KEY_${count}`]: "include.path",
    [`GIT_CONFIG_VALUE_${count}`]: config
  };
}
function quote(text) {
  return `"${text.replace(/["\\]/g, "\\$&")}"`;
}
function shellQuote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// src/http.js
import http from "node:http";
import https from "node:https";
var MAX_BODY = 1 << 20;
var ConnectionError = class extends Error {
  constructor(host, cause) {
    const late = cause.cause?.name === "TimeoutError";
    super(`no answer from ${host}: ${late ? "it takes too long" : cause.message || cause.code}`, { cause });
    this.code = late ? "ETIMEDOUT" : cause.code;
  }
};
async function send(url, { method = "GET", headers = {}, body, ca, timeout }) {
  const secure = url.protocol === "https:";
  const client = secure ? https : http;
  const agent = secure ? new https.Agent({ ca, rejectUnauthorized: true, proxyEnv: process.env }) : new http.Agent();
  const signal = AbortSignal.timeout(timeout);
  try {
    return await new Promise((resolve, reject) => {
      const request2 = client.request(url, { method, headers, agent, signal }, (response) => {
        read(response).then(
          (text) => resolve({ status: response.statusCode, headers: response.headers, body: text }),
          reject
        );
      });
      request2.on("error", reject);
      request2.end(body);
    });
  } catch (error) {
    throw new ConnectionError(url.host, error);
  } finally {
    agent.destroy();
  }
}
async function read(response) {
  const chunks = [];
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > MAX_BODY) {
      throw new Error(`the answer is longer than ${MAX_BODY} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

// src/retry.js
import { setTimeout as sleep } from "node:timers/promises";
var RETRIES = 2;
var WAIT = 1e3;
var JITTER = 500;
async function retry(attempt, { again, patience, log, clock = { now: Date.now, sleep } }) {
  const deadline = clock.now() + patience;
  for (let retries = 0; ; retries++) {
    try {
      return await attempt();
    } catch (error) {
      const wait = error.retryAfter === void 0 ? WAIT + Math.random() * JITTER : error.retryAfter * 1e3;
      if (retries === RETRIES || !again(error) || clock.now() + wait > deadline) {
        throw error;
      }
      log(`${error.message}; trying again in ${Math.ceil(wait / 1e3)} s`);
      await clock.sleep(wait);
    }
  }
}
var UNSENT = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH"];
var LOST = ["ECONNRESET", "EPIPE", "ETIMEDOUT"];
function isTransient({ status, code }) {
  const failed = status >= 500 && status !== 501;
  return failed || status === 412 || status === 429 || UNSENT.includes(code) || LOST.includes(code);
}
function madeNothing({ status, code }) {
  return [429, 502, 503, 504].includes(status) || UNSENT.includes(code);
}
function retryAfterOf(headers) {
  const text = headers["retry-after"];
  return /^\d+$/.test(text) ? Number(text) : void 0;
}

// src/idtoken.js
var TITLE = "The job's ID token could not be had";
var TIMEOUT = 3e4;
var PATIENCE = 6e4;
async function requestIDToken(env, audience, log) {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: address, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = env;
  if (!address || !bearer) {
    throw new Failure(
      TITLE,
      'This job may not ask for one. Give it the permission, in the workflow or the job: "permissions: id-token: write". GitHub gives none to workflows of pull requests from forks.'
    );
  }
  const url = new URL(address);
  url.searchParams.set("audience", audience);
  try {
    return await retry(() => request(url, bearer), { again: isTransient, patience: PATIENCE, log });
  } catch (error) {
    throw new Failure(TITLE, error.message);
  }
}
async function request(url, bearer) {
  const headers = { Authorization: `Bearer ${bearer}`, Accept: "application/json" };
  const answer = await send(url, { headers, timeout: TIMEOUT });
  if (answer.status !== 200) {
    const error = new Error(`GitHub answered ${answer.status}`);
    throw Object.assign(error, { status: answer.status, retryAfter: retryAfterOf(answer.headers) });
  }
  const value = valueOf(answer.body);
  if (!value) {
    throw new Error("GitHub's answer holds no ID token");
  }
  return value;
}
function valueOf(body) {
  try {
    return JSON.parse(body).value;
  } catch {
    return void 0;
  }
}

// src/inputs.js
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
var OF_THE_ROLE = "(of the role)";
var PARSERS = {
  "vault-address": required(parseAddress),
  "vault-namespace": optional(parsePath),
  "vault-ca": optional(parseCA),
  "auth-path": required(parsePath),
  "auth-role": required(parseName),
  audience: required(parseText),
  "present-id-token": required(parseBoolean),
  mount: required(parsePath),
  role: required(parseName),
  repositories: unlessOfTheRole(parseRepositories),
  permissions: unlessOfTheRole(parsePermissions),
  ttl: unlessOfTheRole(parseTTL),
  "configure-git": required(parseBoolean)
};
var INPUT_NAMES = Object.keys(PARSERS);
var PREFIX = "INPUT_";
function readInputs(env) {
  refuseUnknown(env);
  return Object.fromEntries(
    Object.entries(PARSERS).map(([name, parse2]) => [camelCase(name), parseInput(name, parse2, env)])
  );
}
function parseInput(name, parse2, env) {
  try {
    return parse2((env[PREFIX + name.toUpperCase()] ?? "").trim());
  } catch (error) {
    throw invalid(`${name}: ${error.message}`);
  }
}
function refuseUnknown(env) {
  for (const variable of Object.keys(env).filter((key) => key.startsWith(PREFIX))) {
    const name = variable.slice(PREFIX.length).toLowerCase();
    if (!INPUT_NAMES.includes(name)) {
      throw invalid(
        `unknown input ${quote2(name)}: this action takes ${INPUT_NAMES.join(", ")}. (If the workflow itself sets ${variable} in its env, give it a name that does not begin with ${PREFIX}.)`
      );
    }
  }
}
function invalid(message) {
  return new Failure("Wrong input", message);
}
function camelCase(name) {
  return name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
}
function required(parse2) {
  return (text) => {
    if (text === "") {
      throw new Error("it is empty; give a value");
    }
    return parse2(text);
  };
}
function optional(parse2) {
  return (text) => text === "" ? void 0 : parse2(text);
}
function unlessOfTheRole(parse2) {
  return (text) => {
    if (text === "") {
      throw new Error("it is empty, which would ask for all that the role allows; leave it out if that is meant");
    }
    return text === OF_THE_ROLE ? void 0 : parse2(text);
  };
}
function parseAddress(text) {
  const url = URL.canParse(text) ? new URL(text) : void 0;
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new Error(`${quote2(text)} is not the URL of a Vault, like https://vault.example:8200`);
  }
  if (url.username || url.password) {
    throw new Error("it holds a user or password; give the address alone");
  }
  if (url.pathname !== "/" || url.search || url.hash) {
    throw new Error(`${quote2(text)} has more than a host and port; give ${url.origin}`);
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw new Error(`${quote2(text)} would send the job's identity in the clear; give https://${url.host}`);
  }
  return url.origin;
}
function isLoopback(hostname) {
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}
function parsePath(text) {
  const segments = text.replace(/\/$/, "").split("/");
  if (!segments.every(isName)) {
    throw new Error(`${quote2(text)} is not a path in Vault, of letters, digits, "_", "-", "." and "/" between them`);
  }
  return segments.join("/");
}
function parseName(text) {
  if (!isName(text)) {
    throw new Error(`${quote2(text)} is not a name, of letters, digits, "_", "-" and "."`);
  }
  return text;
}
function isName(text) {
  return /^[\w.-]+$/.test(text) && !text.includes("..") && text !== ".";
}
function parseText(text) {
  if (new RegExp("\\p{Cc}", "u").test(text)) {
    throw new Error("it has a line break or another control character");
  }
  return text;
}
function parseBoolean(text) {
  if (text !== "true" && text !== "false") {
    throw new Error(`it is ${quote2(text)}; give true or false`);
  }
  return text === "true";
}
function parseCA(text) {
  const pem = text.includes("-----BEGIN") ? text : readFile(text);
  const certificates = pem.match(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs) ?? [];
  if (certificates.length === 0) {
    throw new Error("it holds no certificate in PEM (-----BEGIN CERTIFICATE-----)");
  }
  certificates.forEach(checkCertificate);
  return certificates.join("\n");
}
function readFile(path) {
  try {
    return readFileSync(path, "utf8");
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
      throw new Error(`${quote2(name)} is not the name of a repository; write one a line`);
    }
  }
  return names;
}
function parsePermissions(text) {
  const permissions = /* @__PURE__ */ new Map();
  for (const item of parseItems(text)) {
    const [, name, level] = /^(\w[\w-]*)=(read|write|admin)$/.exec(item) ?? [];
    if (!name) {
      throw new Error(`${quote2(item)} is not NAME=LEVEL with the level read, write or admin, e.g. contents=read`);
    }
    if (permissions.has(name)) {
      throw new Error(`it has ${name} twice`);
    }
    permissions.set(name, level);
  }
  return Object.fromEntries(permissions);
}
function parseItems(text) {
  if (/^[[{]/.test(text)) {
    throw new Error("it is JSON; write one item a line");
  }
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const items = lines.flatMap((line) => line.split(",")).map((item) => item.trim());
  if (items.includes("")) {
    throw new Error("it has an empty item; is there a comma too many, or an expression that gives nothing?");
  }
  return items;
}
function parseTTL(text) {
  if (!/^(\d+|(\d+h)?(\d+m)?(\d+s)?)$/.test(text) || !/[1-9]/.test(text)) {
    throw new Error(`${quote2(text)} is not a duration; give seconds (600) or e.g. 10m`);
  }
  return text;
}
function quote2(text) {
  return JSON.stringify(text);
}

// src/remedy.js
var ACL_DENIAL = "permission denied";
function loginFailure(error, { authPath, authRole, audience }) {
  return failure("Vault did not let this job log in", error, (status, words) => {
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
function mintFailure(error, { mount, role, authRole, presentIdToken }) {
  return failure(`No token of the role ${role}`, error, (status, words) => {
    if (status === 403 && words === ACL_DENIAL) {
      return `A policy of the JWT role ${authRole} must allow update on ${mount}/token/${role}.`;
    }
    if (status === 403 && !presentIdToken) {
      return "The engine saw no ID token, because of present-id-token: false.";
    }
    if (status === 403) {
      return `As this job, vault write ${mount}/check/${role} id_token=\u2026 shows every rule.`;
    }
    if (status === 404) {
      return `Is the engine mounted at ${mount}/, in this vault-namespace?`;
    }
    if (status === 400 && /\bissuer\b/.test(words)) {
      return "If the engine is not to verify ID tokens, set present-id-token: false.";
    }
    if (status === 424) {
      return "This is not repeated by itself. Run the job again when the cause is known.";
    }
    return commonRemedy(status);
  });
}
function commonRemedy(status) {
  if (status === 429) {
    return "Run the job again later; fewer jobs at once, or tokens for longer, need fewer requests.";
  }
  if (status === 404) {
    return "Is vault-address the address of a Vault?";
  }
  const later = "Run the job again later; if it stays so, the log of Vault says more to its administrator.";
  return status >= 500 ? later : "";
}
function failure(title, error, remedyFor) {
  const remedy = error.status ? remedyFor(error.status, error.words) : connectionRemedy(error.code);
  const wait = error.retryAfter === void 0 ? "" : ` (Retry-After: ${error.retryAfter} s)`;
  return new Failure(title, [error.message + wait, remedy].filter(Boolean).join("\n"));
}
function connectionRemedy(code) {
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return "Give the name in vault-address for which Vault's certificate was made.";
  }
  if (/CERT|SIGNATURE|^ERR_TLS|^ERR_SSL/.test(code)) {
    return "If an authority of your own signed Vault's certificate, give its certificate in vault-ca.";
  }
  return code ? "Is vault-address right, and does this runner reach it?" : "";
}

// src/runner.js
import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";
var Runner = class {
  /**
   * @param {NodeJS.ProcessEnv} env
   * @param {(line: string) => void} print prints a line to standard output
   */
  constructor(env, print) {
    this.env = env;
    this.print = print;
  }
  /** Hides a secret in everything that the job logs from now on. */
  mask(secret) {
    this.#command("add-mask", {}, secret);
  }
  /** Sets an output of the step. */
  setOutput(name, value) {
    this.#append("GITHUB_OUTPUT", name, value);
  }
  /** Keeps a value for the post step, and for nobody else. */
  saveState(name, value) {
    this.#append("GITHUB_STATE", name, value);
  }
  /** A value that the main step saved; empty if it did not come so far. */
  state(name) {
    return this.env[`STATE_${name}`] ?? "";
  }
  /** Sets an environment variable for the steps after this one. */
  exportVariable(name, value) {
    this.#append("GITHUB_ENV", name, value);
  }
  info(message) {
    this.print(onOneLine(message));
  }
  debug(message) {
    this.#command("debug", {}, message);
  }
  warning(title, message) {
    this.#command("warning", { title }, message);
  }
  error(title, message) {
    this.#command("error", { title }, message);
  }
  #command(name, properties, data) {
    const written = Object.entries(properties).map(([key, value]) => `${key}=${escapeProperty(value)}`);
    this.print(`::${[name, ...written].join(" ")}::${escapeData(data)}`);
  }
  /** A delimiter that nobody can guess keeps a value from setting another. */
  #append(file, name, value) {
    const path = this.env[file];
    if (!path) {
      throw new Error(`the runner did not set ${file}; this runs as a step of GitHub Actions`);
    }
    const delimiter = randomUUID();
    appendFileSync(path, `${name}<<${delimiter}
${value}
${delimiter}
`);
  }
};
function onOneLine(text) {
  return text.replace(/[\r\n]+/g, " ");
}
function escapeData(text) {
  return text.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}
function escapeProperty(text) {
  return escapeData(text).replaceAll(":", "%3A").replaceAll(",", "%2C");
}

// src/vault.js
var VaultError = class extends Error {
  /**
   * @param {number} status
   * @param {string} words empty if the answer had none that are Vault's
   * @param {number} [retryAfter] in seconds
   */
  constructor(status, words, retryAfter) {
    super(`Vault answered ${status}${words && `: ${words}`}`);
    this.status = status;
    this.words = words;
    this.retryAfter = retryAfter;
  }
};
var Vault = class {
  /**
   * @param {Connection} connection
   * @param {Limits} limits
   * @param {(message: string) => void} log is told of every retry
   */
  constructor(connection, limits, log) {
    this.connection = connection;
    this.limits = limits;
    this.log = log;
  }
  /**
   * Logs in by JWT.
   *
   * @returns {Promise<{token: string, expires: number}>} expires in milliseconds since 1970
   */
  async login(path, role, jwt) {
    const { auth } = await this.#write(`auth/${path}/login`, { role, jwt }, { again: isTransient });
    if (!auth?.client_token) {
      throw new Error(`the answer of auth/${path}/login holds no Vault token`);
    }
    const expires = auth.lease_duration > 0 ? after(auth.lease_duration) : Infinity;
    return { token: auth.client_token, expires };
  }
  /**
   * Asks the engine for a GitHub token.
   *
   * @returns {Promise<{token: string, leaseID: string, expires: number, scope: string}>} expires, in milliseconds
   * since 1970, with the lease or when GitHub ends the token
   */
  async mint(mount, role, parameters, token) {
    const path = `${mount}/token/${role}`;
    const answer = await this.#write(path, parameters, { token, again: madeNothing });
    const { data, lease_id: leaseID, lease_duration: duration } = answer;
    if (!data?.token || !leaseID) {
      throw new Error(`the answer of ${path} holds no token under a lease; is ${mount}/ the GitHub secrets engine?`);
    }
    const expires = Math.min(after(duration), Date.parse(data.expires_at));
    return { token: data.token, leaseID, expires, scope: data.scope };
  }
  /**
   * Ends a lease, and waits until the GitHub token is revoked. The lease's ID stands in the path, so that a policy can
   * be about the leases of one engine.
   */
  async revokeLease(leaseID, token) {
    await this.#write(`sys/leases/revoke/${leaseID}`, { sync: true }, { token, again: isTransient });
  }
  /** Ends a Vault token, and with it, a moment later, its leases. */
  async revokeSelf(token) {
    await this.#write("auth/token/revoke-self", {}, { token, again: isTransient });
  }
  #write(path, body, { token, again }) {
    return retry(() => this.#post(path, body, token), { again, patience: this.limits.patience, log: this.log });
  }
  async #post(path, body, token) {
    const { address, namespace, ca } = this.connection;
    const headers = { "Content-Type": "application/json", "X-Vault-Request": "true" };
    if (namespace) {
      headers["X-Vault-Namespace"] = namespace;
    }
    if (token) {
      headers["X-Vault-Token"] = token;
    }
    const request2 = { method: "POST", headers, body: JSON.stringify(body), ca, timeout: this.limits.timeout };
    return contentOf(await sendWithin(new URL(`/v1/${path}`, address), request2));
  }
};
function after(seconds) {
  return Date.now() + seconds * 1e3;
}
async function sendWithin(url, request2) {
  const answer = await send(url, request2);
  const target = redirectOf(answer, url);
  if (!target) {
    return answer;
  }
  if (target.origin !== url.origin) {
    throw new Error(
      `${url.origin} redirects to ${target.origin}, and no secret is sent to another host than vault-address names; if that is the active node of the same Vault, give its address`
    );
  }
  return send(target, request2);
}
function redirectOf({ status, headers }, url) {
  const redirects = [301, 302, 307, 308].includes(status) && headers.location;
  return redirects && URL.canParse(headers.location, url) ? new URL(headers.location, url) : void 0;
}
function contentOf({ status, headers, body }) {
  if (status === 204) {
    return {};
  }
  const content = parse(body);
  if (status !== 200) {
    throw new VaultError(status, wordsOf(content), retryAfterOf(headers));
  }
  if (!content) {
    throw new Error("the answer is not JSON; is this the address of a Vault?");
  }
  return content;
}
function parse(body) {
  try {
    return JSON.parse(body);
  } catch {
    return void 0;
  }
}
function wordsOf(content) {
  const errors = Array.isArray(content?.errors) ? content.errors : [];
  const plain = (error) => String(error).replace(/^\d+ errors? occurred:\s*/, "").replace(/^\s*\* /gm, "");
  return errors.map((error) => plain(error).trim()).join("\n");
}

// src/main.js
var LIMITS = { timeout: 6e4, patience: 6e4 };
async function main(runner2) {
  const inputs = readInputs(runner2.env);
  const log = (message) => runner2.info(message);
  const idToken = await requestIDToken(runner2.env, inputs.audience, log);
  runner2.mask(idToken);
  const connection = { address: inputs.vaultAddress, namespace: inputs.vaultNamespace, ca: inputs.vaultCa };
  const vault = new Vault(connection, LIMITS, log);
  const login = await logIn(vault, inputs, idToken);
  runner2.mask(login.token);
  runner2.saveState("connection", JSON.stringify(connection));
  runner2.saveState("vault-token", login.token);
  const issued = await mint(vault, inputs, idToken, login.token);
  runner2.mask(issued.token);
  runner2.saveState("lease-id", issued.leaseID);
  if (inputs.configureGit) {
    configureGit(runner2, issued.token);
  }
  announce(runner2, issued, Math.min(issued.expires, login.expires));
}
async function logIn(vault, inputs, idToken) {
  try {
    return await vault.login(inputs.authPath, inputs.authRole, idToken);
  } catch (error) {
    throw loginFailure(error, inputs);
  }
}
async function mint(vault, inputs, idToken, vaultToken) {
  const { mount, role, repositories, permissions, ttl } = inputs;
  const parameters = { repositories, permissions, ttl, id_token: inputs.presentIdToken ? idToken : void 0 };
  try {
    return await vault.mint(mount, role, parameters, vaultToken);
  } catch (error) {
    throw mintFailure(error, inputs);
  }
}
function configureGit(runner2, token) {
  const directory = makeDirectory(runner2.env);
  runner2.saveState("git-directory", directory);
  for (const [name, value] of Object.entries(configure(directory, token, runner2.env))) {
    runner2.exportVariable(name, value);
  }
}
function announce(runner2, issued, expires) {
  const expiresAt = new Date(expires).toISOString().replace(/\.\d+Z$/, "Z");
  runner2.setOutput("token", issued.token);
  runner2.setOutput("expires-at", expiresAt);
  runner2.setOutput("scope", issued.scope);
  runner2.info(`A token for ${issued.scope}, until ${expiresAt}`);
}
var runner = new Runner(process.env, console.log);
try {
  await main(runner);
} catch (error) {
  process.exitCode = 1;
  if (error instanceof Failure) {
    runner.error(error.title, error.message);
  } else {
    runner.error("This action failed", error.message);
    runner.debug(error.stack);
  }
}
