/** Names of the secrets that administrators create and units read. */

/** The default name of the stack. Its secrets are `mailflow/client-certificates/NAME`. */
export const defaultStackName = 'Mailflow'

/**
 * The secret of the client certificate that an outbound connector names; `*` gives the pattern for an IAM policy.
 * @param stack name of the stack: each stack reads its own secrets
 */
export const clientCertificateSecret = (name: string, stack: string = defaultStackName): string =>
  `${stack.toLowerCase()}/client-certificates/${name}`

/** Whether a secret, of any stack, is that of the client certificate. */
export const isClientCertificateSecret = (secret: string, name: string): boolean =>
  secret.endsWith(`/client-certificates/${name}`)
