// One HTTP request. fetch would do, but takes the certificate authority of a
// private Vault only by way of a package; Node's own client has that built in.

import http from 'node:http';
import https from 'node:https';

/** No answer that is read here comes near. */
const MAX_BODY = 1 << 20;

/** An answer that was not had; code says why, as Node names it. */
export class ConnectionError extends Error {
  constructor(host, cause) {
    const late = cause.cause?.name === 'TimeoutError';
    super(`no answer from ${host}: ${late ? 'it takes too long' : cause.message || cause.code}`, { cause });
    this.code = late ? 'ETIMEDOUT' : cause.code;
  }
}

/**
 * Sends a request, once, and follows no redirect. The server's certificate is
 * verified whatever NODE_TLS_REJECT_UNAUTHORIZED says: an earlier step of the
 * job may have set it. A proxy of the environment is used if Node can (24.5).
 *
 * @param {URL} url
 * @param {object} request
 * @param {string} [request.method]
 * @param {Record<string, string>} [request.headers]
 * @param {string} [request.body]
 * @param {string} [request.ca] PEM, instead of the authorities that Node trusts
 * @param {number} request.timeout in milliseconds, until the end of the answer
 * @returns {Promise<{status: number, headers: http.IncomingHttpHeaders, body: string}>}
 * @throws {ConnectionError}
 */
export async function send(url, { method = 'GET', headers = {}, body, ca, timeout }) {
  const secure = url.protocol === 'https:';
  const client = secure ? https : http;
  const agent = secure ? new https.Agent({ ca, rejectUnauthorized: true, proxyEnv: process.env }) : new http.Agent();
  const signal = AbortSignal.timeout(timeout);
  try {
    return await new Promise((resolve, reject) => {
      const request = client.request(url, { method, headers, agent, signal }, (response) => {
        read(response).then(
          (text) => resolve({ status: response.statusCode, headers: response.headers, body: text }),
          reject,
        );
      });
      request.on('error', reject);
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
  return Buffer.concat(chunks).toString('utf8');
}
