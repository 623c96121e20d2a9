/**
 * The secret with our certificates, changed by compare and set. The fault to avoid: two runs, or a run and an
 * administrator, read the same value, and the one that writes last undoes the other, unseen. The defence: a new value is
 * put as a version that nobody reads, and becomes the current one only if the version it was made from still is:
 * Secrets Manager moves the label AWSCURRENT from a version that is named, and from no other. Whoever comes too late
 * reads again. The limit: nobody else's changes to a value are merged, only found.
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

/** The secret has another value by now. */
export class Outrun extends Error {}

const current = 'AWSCURRENT'
const pending = 'AWSPENDING'

/** What Secrets Manager answers where the label is on another version, and where the version has gone meanwhile. */
const outrun = ['InvalidParameterException', 'InvalidRequestException', 'ResourceNotFoundException']

export class CertificateSecretStore {
  readonly #secrets: Pick<SecretsManagerClient, 'send'>
  readonly #arn: string

  constructor(secrets: Pick<SecretsManagerClient, 'send'>, arn: string) {
    this.#secrets = secrets
    this.#arn = arn
  }

  /** @returns null before it was ever filled @throws what Secrets Manager says, which holds nothing of the secret */
  async read(): Promise<SecretVersion | null> {
    try {
      const { SecretString: text = '', VersionId: version = '' } = await this.#secrets.send(
        new GetSecretValueCommand({ SecretId: this.#arn }),
      )
      return { text, version }
    } catch (error) {
      // A secret that does not exist at all says the same, and is found out when it is filled.
      if ((error as Error).name === 'ResourceNotFoundException') return null
      throw error
    }
  }

  /**
   * @param before the version that the text was made from; null for the first
   * @throws Outrun when that is not the current one any more
   */
  async replace(before: SecretVersion | null, text: string): Promise<void> {
    const version = randomUUID()
    await this.#secrets.send(
      new PutSecretValueCommand({
        SecretId: this.#arn,
        ClientRequestToken: version,
        SecretString: text,
        VersionStages: [before === null ? current : pending],
      }),
    )
    if (before !== null) await this.#makeCurrent(version, before.version)
  }

  async #makeCurrent(version: string, before: string): Promise<void> {
    try {
      await this.#secrets.send(
        new UpdateSecretVersionStageCommand({
          SecretId: this.#arn,
          VersionStage: current,
          MoveToVersionId: version,
          RemoveFromVersionId: before,
        }),
      )
    } catch (error) {
      const { name, message } = error as Error
      throw outrun.includes(name) ? new Outrun(`${name}: ${message}`) : error
    }
  }
}
