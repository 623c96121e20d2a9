/** Reads the DKIM key, with which reports are signed, from Secrets Manager. */
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import * as z from 'zod'
import { parseJson } from '../../shared/contract/parse-json.ts'
import type { DkimKey } from '../../shared/tls-reports/report-mail.ts'

const DkimSecret = z.object({ privateKey: z.string().includes('PRIVATE KEY') })

/** @throws Error that names the secret, never its content */
export async function readDkimKey(
  secrets: Pick<SecretsManagerClient, 'send'>,
  { domain, selector, secretArn }: { domain: string; selector: string; secretArn: string },
): Promise<DkimKey> {
  const { SecretString = '' } = await secrets.send(new GetSecretValueCommand({ SecretId: secretArn }))
  const parsed = DkimSecret.safeParse(parseJson(SecretString))
  if (!parsed.success)
    throw new Error(`the secret ${secretArn} is not JSON with the field privateKey, a private key in PEM`)
  return { domain, selector, privateKey: parsed.data.privateKey }
}
