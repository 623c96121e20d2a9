import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { summarisePresentedChain } from '../../../shared/tls/presented-chain.ts'
import { selfSigned } from '../../support/pki.ts'

const names: [name: string, commonName: string, shown: string][] = [
  ['is unchanged when it has letters only', 'Contoso Köln', 'CN=Contoso Köln'],
  ['has its invisible characters replaced', 'moc\u202eosotnoc\u009b', 'CN=moc?osotnoc?'],
  ['has ? for a character that the cut would split', `${'a'.repeat(251)}\u{1f600}`, `CN=${'a'.repeat(251)}?`],
]

for (const [name, commonName, shown] of names)
  test(`the subject in the summary of a presented chain ${name}`, async () => {
    const { cert } = await selfSigned({ names: ['mx.partner.example'], commonName })
    const [leaf] = summarisePresentedChain(new X509Certificate(cert))
    assert.deepEqual([leaf?.subject, leaf?.issuer], [shown, shown])
  })

test('the summary of a presented chain is empty without a certificate', () =>
  assert.deepEqual(summarisePresentedChain(undefined), []))
