/** UTC hour of the daily search for certificates that expire. */
export const expiryWatchHour = 6
