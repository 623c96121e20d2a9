/**
 * When the reports on a day are sent: hours of the day after it, UTC. Those of which the first run could not send are
 * tried again at the others, ever more slowly, within a day (RFC 8460 §5.5).
 */
export const reportHours = [1, 2, 4, 8, 16] as const
