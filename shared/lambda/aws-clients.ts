/**
 * Timeouts of AWS requests, in milliseconds. By default the SDK waits without a limit: without `throwOnRequestTimeout`,
 * `requestTimeout` only logs a warning. With three tries a call that hangs fails within half a minute, and the job is
 * retried.
 */
export const clientDefaults = {
  requestHandler: {
    connectionTimeout: 3_000,
    requestTimeout: 8_000,
    /** Maximum time without data while a body arrives. */
    socketTimeout: 8_000,
    throwOnRequestTimeout: true,
  },
} as const

/**
 * Options for calls that the client must not repeat, because a repetition may create a duplicate. The one try has a
 * longer timeout, because after a timeout the result is unknown.
 */
export const singleAttempt = {
  maxAttempts: 1,
  requestHandler: { ...clientDefaults.requestHandler, requestTimeout: 60_000, socketTimeout: 60_000 },
} as const
