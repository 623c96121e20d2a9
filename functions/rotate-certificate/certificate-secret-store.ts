/**
 * Changes the certificate secret by compare and set. Fault to avoid: two writers read the same value, and the second
 * write silently undoes the first. Defence: a new value becomes a pending version first. It becomes current only if the
 * version that it was made from is still current: Secrets Manager moves the label AWSCURRENT only from the named
 * version. A late writer gets an error and reads again. Not covered: merging; a change by another writer is only
 * detected.
 */
import { randomUUID } from 'node:crypto'
import {
  GetSecretValueCommand,
  PutSecretValueCommand,
  type SecretsManagerClient,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'

export interface SecretVersion {
  text: string
  version: string
}

/** Thrown when the secret has changed since it was read. */
export class ConcurrentUpdateError extends Error {}

const currentLabel = 'AWSCURRENT'
const pendingLabel = 'AWSPENDING'

/** Errors of Secrets Manager when the label is on another version, or the version is gone. */
const concurrentUpdateErrors = [
  'InvalidParameterException',
  'InvalidRequestException',
  'ResourceNotFoundException',
]

export class CertificateSecretStore {
  readonly #secrets: Pick<SecretsManagerClient, 'send'>
  readonly #arn: string

  constructor(secrets: Pick<SecretsManagerClient, 'send'>, arn: string) {
    this.#secrets = secrets
    this.#arn = arn
  }

  /**
   * @returns null before the secret is first filled
   * @throws the error of Secrets Manager, which contains nothing of the secret
   */
  async read(): Promise<SecretVersion | null> {
    try {
      const { SecretString: text = '', VersionId: version = '' } = await this.#secrets.send(
        new GetSecretValueCommand({ SecretId: this.#arn }),
      )
      return { text, version }
    } catch (error) {
      // A secret that does not exist causes the same error; filling it then fails.
      if ((error as Error).name === 'ResourceNotFoundException') return null
      throw error
    }
  }

  /**
   * @param previous the version that the text was made from; null when the secret has no value yet
   * @throws ConcurrentUpdateError when `previous` is no longer current
   */
  async replace(previous: SecretVersion | null, text: string): Promise<void> {
    const version = randomUUID()
    await this.#secrets.send(
      new PutSecretValueCommand({
        SecretId: this.#arn,
        ClientRequestToken: version,
        SecretString: text,
        VersionStages: [previous === null ? currentLabel : pendingLabel],
      }),
    )
    if (previous !== null) await this.#makeCurrent(version, previous.version)
  }

  async #makeCurrent(version: string, previous: string): Promise<void> {
    try {
      await this.#secrets.send(
        new UpdateSecretVersionStageCommand({
          SecretId: this.#arn,
          VersionStage: currentLabel,
          MoveToVersionId: version,
          RemoveFromVersionId: previous,
        }),
      )
    } catch (error) {
      const { name, message } = error as Error
      throw concurrentUpdateErrors.includes(name) ? new ConcurrentUpdateError(`${name}: ${message}`) : error
    }
  }
}
