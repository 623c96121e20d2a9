import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { summarisePresentedChain } from '../../../shared/tls/presented-chain.ts'
import { selfSigned } from '../../support/pki.ts'

const names: [name: string, commonName: string, shown: string][] = [
  ['is shown unchanged', 'Contoso Köln', 'CN=Contoso Köln'],
  ['has its invisible characters replaced', 'moc\u202eosotnoc\u009b', 'CN=moc?osotnoc?'],
  ['is not cut within a surrogate pair', `${'a'.repeat(251)}\u{1f600}`, `CN=${'a'.repeat(251)}?`],
]

for (const [name, commonName, shown] of names)
  test(`the subject of a server's certificate ${name}`, async () => {
    const { cert } = await selfSigned({ names: ['mx.partner.example'], commonName })
    const [leaf] = summarisePresentedChain(new X509Certificate(cert))
    assert.deepEqual([leaf?.subject, leaf?.issuer], [shown, shown])
  })

test('without a certificate there is no chain', () =>
  assert.deepEqual(summarisePresentedChain(undefined), []))
