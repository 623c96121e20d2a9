/** The secret with our certificates, in Secrets Manager. */
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'

/** Milliseconds for all tries of one reading. */
const patienceMs = 15_000

/** @returns the secret's text; rejects with what Secrets Manager or the network says, which never holds any of it */
export const secretReader =
  (secrets: Pick<SecretsManagerClient, 'send'>, arn: string): (() => Promise<string>) =>
  async () => {
    const { SecretString } = await secrets.send(new GetSecretValueCommand({ SecretId: arn }), {
      abortSignal: AbortSignal.timeout(patienceMs),
    })
    return SecretString ?? ''
  }
