/** @returns the time for DynamoDB's TTL, in seconds since the epoch */
export const expiryAfter = (from: Date, ttlSeconds: number): number =>
  Math.floor(from.getTime() / 1000) + ttlSeconds
