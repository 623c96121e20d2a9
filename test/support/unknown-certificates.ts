/** A partner that presents a certificate which its connector does not accept. */
import assert from 'node:assert/strict'
import type { UnknownCertificateList } from '../../functions/console/app/api/types.ts'
import type { ConsoleTest } from './console.ts'
import { sendMessage, waitForResult } from './local/runner.ts'
import { createPki } from './pki.ts'

/** The name in the certificate that the partner presents. */
export const presentedName = 'mx1.contoso.example'

/** Creates the connector `From contoso`, and sends mail until the API lists the certificate. */
export async function presentUnknownCertificate({
  api,
  runner,
}: Pick<ConsoleTest, 'api' | 'runner'>): Promise<void> {
  const authority = await createPki('Partners CA')
  const { status, body } = await api('POST', '/inbound-connectors', {
    name: 'From contoso',
    connectorType: 'Partner',
    senderDomains: ['contoso.example'],
    restrictDomainsToCertificate: true,
    tlsSenderCertificateNames: ['mail.contoso.example'],
    certificateAuthorities: [authority.ca],
  })
  assert.equal(status, 201, JSON.stringify(body))
  const certificate = await authority.issue({ names: [presentedName] })
  const content = 'From: <a@contoso.example>\r\nSubject: hello\r\n\r\nHello\r\n'
  await waitForResult(async () => {
    await sendMessage(runner.endpoints, 'a@contoso.example', 'ann@ours.example', content, certificate)
    const answer = await api('GET', '/certificates/unknown')
    return (answer.body as UnknownCertificateList).items.length > 0 || null
  })
}
