/**
 * UTC hours at which a day's TLS reports are sent, on the following day. The later runs retry the reports that failed,
 * at growing intervals and within a day (RFC 8460 §5.5).
 */
export const reportHours = [1, 2, 4, 8, 16] as const
