/**
 * Timeouts of AWS requests, in ms. The SDK's default waits for ever: `requestTimeout` alone only warns. With three
 * tries a call that hangs fails within half a minute, and the job comes back.
 */
export const clientDefaults = {
  requestHandler: {
    connectionTimeout: 3_000,
    requestTimeout: 8_000,
    /** Time without data while a body arrives. */
    socketTimeout: 8_000,
    throwOnRequestTimeout: true,
  },
} as const

/**
 * For calls that the client must not repeat, since each may create a duplicate. One try, with a longer timeout, because
 * after a timeout the result is unknown.
 */
export const singleAttempt = {
  maxAttempts: 1,
  requestHandler: { ...clientDefaults.requestHandler, requestTimeout: 60_000, socketTimeout: 60_000 },
} as const
