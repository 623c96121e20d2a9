/** The wait of a failed job before its next try. Pure. */

const firstDelaySeconds = 30
/** A job is tried again at most this long after an outage has ended. */
const maxDelaySeconds = 900

/**
 * The wait doubles with each receive, up to a quarter of an hour. Jitter, up to half of the wait, prevents the jobs that
 * failed together from returning together.
 * @param receives number of times that the job was received, from 1
 * @param random a number in [0, 1)
 * @returns seconds
 */
export const retryDelaySeconds = (receives: number, random: number): number =>
  Math.ceil(Math.min(maxDelaySeconds, firstDelaySeconds * 2 ** (receives - 1)) * (0.5 + random / 2))
