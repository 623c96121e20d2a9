/** Names of the secrets that administrators create and units read. */

const clientCertificatePrefix = 'mailflow/client-certificates/'

/** The secret of the client certificate that an outbound connector names; `*` gives the pattern for an IAM policy. */
export const clientCertificateSecret = (name: string): string => `${clientCertificatePrefix}${name}`
