/** Reads the secret with the ingress's certificates from Secrets Manager. */
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'

/** Timeout for all attempts of one read. */
const timeoutMs = 15_000

/** @returns the secret's text; rejects with errors of Secrets Manager or the network, which never contain the secret */
export const createSecretReader =
  (secrets: Pick<SecretsManagerClient, 'send'>, arn: string): (() => Promise<string>) =>
  async () => {
    const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: arn }), {
      abortSignal: AbortSignal.timeout(timeoutMs),
    })
    return SecretString ?? ''
  }
