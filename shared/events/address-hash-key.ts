/** Reads the key that hashes the addresses in events from Secrets Manager. After the first success it is not read again. */
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { type AddressHash, createAddressHash } from '../mail/address-hash.ts'
import { EventAddresses } from './hash-addresses.ts'

/** The stack generates a longer one. */
const minKeyLength = 32

type Secrets = Pick<SecretsManagerClient, 'send'>

/**
 * @param secretArn undefined: addresses in events are plain
 * @returns a function that returns the hash, or null if addresses are plain. It rejects while the key cannot be read, with
 * an error that names the secret and never its content
 */
export const addressHashReader = (
  secrets: Secrets,
  secretArn: string | undefined,
): (() => Promise<AddressHash | null>) => keyReader(secrets, secretArn, createAddressHash)

/**
 * As `addressHashReader`, for a unit that stores events.
 * @param environment of the unit
 */
export function addressesReader(
  secrets: Secrets,
  environment: {
    ADDRESS_HASH_SECRET_ARN?: string | undefined
    POSTMASTER_ADDRESS: string | null
    TLS_REPORT_ADDRESS: string | null
  },
): () => Promise<EventAddresses | null> {
  const { ADDRESS_HASH_SECRET_ARN, POSTMASTER_ADDRESS, TLS_REPORT_ADDRESS } = environment
  const plain = [POSTMASTER_ADDRESS, TLS_REPORT_ADDRESS].filter((address) => address !== null)
  return keyReader(secrets, ADDRESS_HASH_SECRET_ARN, (key) => new EventAddresses(key, plain))
}

function keyReader<T>(
  secrets: Secrets,
  secretArn: string | undefined,
  use: (key: string) => T,
): () => Promise<T | null> {
  let reading: Promise<T | null> | null = null
  const read = async (): Promise<T | null> => {
    if (secretArn === undefined) return null
    try {
      const { SecretString: key = '' } = await secrets.send(
        new GetSecretValueCommand({ SecretId: secretArn }),
      )
      if (key.length < minKeyLength)
        throw new Error(`the secret ${secretArn} has no key of at least ${minKeyLength} characters`)
      return use(key)
    } catch (error) {
      reading = null
      throw error
    }
  }
  return () => {
    reading ??= read()
    return reading
  }
}
