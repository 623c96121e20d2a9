/**
 * How long AWS's services are waited for. The SDK by itself waits for ever: `requestTimeout` alone only warns. With
 * its three tries a call that hangs fails within half a minute, and the job comes back.
 */
export const clientDefaults = {
  requestHandler: {
    connectionTimeout: 3_000,
    requestTimeout: 8_000,
    /** Of silence, while a body comes. */
    socketTimeout: 8_000,
    throwOnRequestTimeout: true,
  },
} as const

/**
 * For calls that must not be repeated by the client, since each may be a copy: one try, and longer, because after
 * giving up nobody knows whether it was made.
 */
export const onceOnly = {
  maxAttempts: 1,
  requestHandler: { ...clientDefaults.requestHandler, requestTimeout: 60_000, socketTimeout: 60_000 },
} as const
