/** Names of secrets that administrators make, and units read. */

const clientCertificates = 'mailflow/client-certificates/'

/** Of the certificate that an outbound connector names; `*` stands for each of them. */
export const clientCertificateSecret = (name: string): string => `${clientCertificates}${name}`
