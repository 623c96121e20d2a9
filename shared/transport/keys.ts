/**
 * The transport table. A partition for each domain whose published policy was looked for (`policy#`), for each day and
 * shard of counted sessions (`sessions#`), for each destination that mail is being delivered to (`destination#`), for
 * the reports on a day that we sent (`sent#`) and for those that others sent us (`report#`), for each connector whose
 * messages are counted (`rate#`), and for each certificate of others that somebody was asked about (`revocation#`).
 */

/** @param domain in comparable form */
export const policyKey = (domain: string) => ({ pk: `policy#${domain}`, sk: 'mta-sts' })

const sessionShards = 16

/**
 * Sessions of a day, by domain, policy and what was wrong. Every writer takes any shard, so that no domain's mail
 * outgrows one item; a reader adds up all of them.
 * @param day `YYYY-MM-DD`
 * @param random in [0, 1)
 */
export const sessionsPartition = (day: string, random: number): string =>
  `sessions#${day}#${Math.floor(random * sessionShards)}`

/** @param day `YYYY-MM-DD` */
export const sessionsPartitions = (day: string): string[] =>
  Array.from({ length: sessionShards }, (_, shard) => `sessions#${day}#${shard}`)

/** The claim on a report of a day to one place. @param place digest of where the report goes */
export const sentReportKey = (day: string, domain: string, place: string) => ({
  pk: `sent#${day}`,
  sk: `${domain}#${place}`,
})

/** The deliveries under way to a destination. */
export const slotsKey = (destination: string) => ({ pk: `destination#${destination}`, sk: 'slots' })

/** A report that others sent us. @param day `YYYY-MM-DD` that it is about */
export const receivedReportKey = ({ day, id }: { day: string; id: string }) => ({
  pk: `report#${day}`,
  sk: id,
})

/** The messages of a connector in a minute. @param minute since 1970 */
export const rateKey = (connector: string, minute: number) => ({
  pk: `rate#${connector}`,
  sk: new Date(minute * 60_000).toISOString().slice(0, 16),
})

/** What one source says of a certificate. @param fingerprint of the certificate @param place digest of the source's URL */
export const revocationKey = (fingerprint: string, kind: string, place: string) => ({
  pk: `revocation#${fingerprint}`,
  sk: `${kind}#${place}`,
})
