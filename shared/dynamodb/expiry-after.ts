/** @returns when an item may be deleted, as DynamoDB's TTL reads it: seconds since the epoch */
export const expiryAfter = (from: Date, keptSeconds: number): number =>
  Math.floor(from.getTime() / 1000) + keptSeconds
