/** The address of mail that waits, with filters. Pure. */

export const queuesPath = (filters: Readonly<Record<string, string>>): string =>
  `/queues?${new URLSearchParams(filters)}`
