/**
 * Processor time as a measure of work: on a busy machine it is the same as on an idle one, which wall-clock time is not.
 * @module
 */

/** Starts a clock; it returns the milliseconds of processor time this process has spent since, all threads together. */
export function cpuClock(): () => number {
  const start = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1_000;
  };
}
