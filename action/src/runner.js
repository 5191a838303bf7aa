// The runner's side: what an action tells it through standard output and through
// the files that the environment names.
//
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
//
// @actions/core speaks the same protocol, and comes with an HTTP client and its
// dependencies: 800 KB of code beside the token, for these few lines.

import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';

/** The runner of a job, by the step's environment. */
export class Runner {
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
    this.#command('add-mask', {}, secret);
  }

  /** Sets an output of the step. */
  setOutput(name, value) {
    this.#append('GITHUB_OUTPUT', name, value);
  }

  /** Keeps a value for the post step, and for nobody else. */
  saveState(name, value) {
    this.#append('GITHUB_STATE', name, value);
  }

  /** A value that the main step saved; empty if it did not come so far. */
  state(name) {
    return this.env[`STATE_${name}`] ?? '';
  }

  /** Sets an environment variable for the steps after this one. */
  exportVariable(name, value) {
    this.#append('GITHUB_ENV', name, value);
  }

  info(message) {
    this.print(onOneLine(message));
  }

  debug(message) {
    this.#command('debug', {}, message);
  }

  warning(title, message) {
    this.#command('warning', { title }, message);
  }

  error(title, message) {
    this.#command('error', { title }, message);
  }

  #command(name, properties, data) {
    const written = Object.entries(properties).map(([key, value]) => `${key}=${escapeProperty(value)}`);
    this.print(`::${[name, ...written].join(' ')}::${escapeData(data)}`);
  }

  /** A delimiter that nobody can guess keeps a value from setting another. */
  #append(file, name, value) {
    const path = this.env[file];
    if (!path) {
      throw new Error(`the runner did not set ${file}; this runs as a step of GitHub Actions`);
    }
    const delimiter = randomUUID();
    appendFileSync(path, `${name}<<${delimiter}\n${value}\n${delimiter}\n`);
  }
}

/** A line of a text that came from elsewhere must not begin a command. */
function onOneLine(text) {
  return text.replace(/[\r\n]+/g, ' ');
}

function escapeData(text) {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text) {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
