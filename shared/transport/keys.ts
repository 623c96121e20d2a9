/**
 * The transport table. A partition for each domain whose published policy was looked for (`policy#`), for each day and
 * shard of counted sessions (`sessions#`), for each destination that mail is being delivered to (`destination#`), and
 * for the reports that others sent us by day (`report#`).
 */

/** @param domain in comparable form */
export const policyKey = (domain: string) => ({ pk: `policy#${domain}`, sk: 'mta-sts' })
