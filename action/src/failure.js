/**
 * What went wrong, for the job's author: shown as an annotation, without a stack
 * trace.
 */
export class Failure extends Error {
  /**
   * @param {string} title what could not be done
   * @param {string} message why, and what helps
   */
  constructor(title, message) {
    super(message);
    this.title = title;
  }
}
