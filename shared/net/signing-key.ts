/** Reads a key that signs with DKIM or seals with ARC from Secrets Manager. */
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'
import { parseJson } from '../contract/parse-json.ts'

const SigningSecret = z.object({ privateKey: z.string().includes('PRIVATE KEY') })

export interface SigningKey {
  domain: string
  selector: string
  /** PEM. */
  privateKey: string
}

/** @throws Error that names the secret, never its content */
export async function readSigningKey(
  secrets: Pick<SecretsManagerClient, 'send'>,
  { domain, selector, secretArn }: { domain: string; selector: string; secretArn: string },
): Promise<SigningKey> {
  const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: secretArn }))
  const parsed = SigningSecret.safeParse(parseJson(SecretString))
  if (!parsed.success)
    throw new Error(`the secret ${secretArn} is not JSON with the field privateKey, a private key in PEM`)
  return { domain, selector, privateKey: parsed.data.privateKey }
}
