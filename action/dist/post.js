// src/git.js
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
function remove(directory) {
  rmSync(directory, { recursive: true, force: true });
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
      const request = client.request(url, { method, headers, agent, signal }, (response) => {
        read(response).then(
          (text) => resolve({ status: response.statusCode, headers: response.headers, body: text }),
          reject
        );
      });
      request.on("error", reject);
      request.end(body);
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
    const request = { method: "POST", headers, body: JSON.stringify(body), ca, timeout: this.limits.timeout };
    return contentOf(await sendWithin(new URL(`/v1/${path}`, address), request));
  }
};
function after(seconds) {
  return Date.now() + seconds * 1e3;
}
async function sendWithin(url, request) {
  const answer = await send(url, request);
  const target = redirectOf(answer, url);
  if (!target) {
    return answer;
  }
  if (target.origin !== url.origin) {
    throw new Error(
      `${url.origin} redirects to ${target.origin}, and no secret is sent to another host than vault-address names; if that is the active node of the same Vault, give its address`
    );
  }
  return send(target, request);
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

// src/post.js
var LIMITS = { timeout: 3e4, patience: 1e4 };
async function post(runner2) {
  if (runner2.state("git-directory")) {
    remove(runner2.state("git-directory"));
  }
  const token = runner2.state("vault-token");
  if (token) {
    const vault = new Vault(JSON.parse(runner2.state("connection")), LIMITS, (message) => runner2.info(message));
    await revoke(vault, token, runner2.state("lease-id"));
  }
}
async function revoke(vault, token, leaseID) {
  const ofLease = leaseID ? await failureOf(vault.revokeLease(leaseID, token)) : void 0;
  const ofToken = isBatch(token) ? ofLease : await failureOf(vault.revokeSelf(token));
  if (ofToken && !isDead(ofToken)) {
    throw ofToken;
  }
  if (ofLease && ofLease.status !== 403) {
    throw ofLease;
  }
}
function failureOf(request) {
  return request.then(() => void 0, (error) => error);
}
function isBatch(token) {
  return token.startsWith("hvb.");
}
function isDead({ status, words }) {
  return status === 403 && words.includes("invalid token");
}
var runner = new Runner(process.env, console.log);
try {
  await post(runner);
} catch (error) {
  const comfort = "It ends with its lease, without this job's doing.";
  runner.warning("The token may not be revoked yet", `${error.message}
${comfort}`);
}
