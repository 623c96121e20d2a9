/** How often the overview reads again, in milliseconds. */
export const refetchMs = 30_000
